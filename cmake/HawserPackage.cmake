# The Debian package, by cpack: what the component "runtime" installs, and what Debian wants to have beside it.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME hawser)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "pull container images from registries without a container engine")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"hawser pulls images from OCI and Docker registries into a tar that docker
load takes. It needs no daemon and no root, loads large layers over several
connections, goes on where an interrupted pull stopped, and checks every
byte against the manifest's digest.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "The hawser developers <hawser@users.noreply.github.com>" CACHE STRING
  "Who answers for the package")
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS ca-certificates)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_CMAKE_PROJECTS "${CMAKE_BINARY_DIR};hawser;runtime;/")
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PRE_BUILD_SCRIPTS ${PROJECT_SOURCE_DIR}/cmake/FinishPackage.cmake)
include(CPack)
