# cpack runs this over the files of the Debian package before it packs them: the documents become what Debian's policy
# wants, the executable is stripped, and all gets the time of SOURCE_DATE_EPOCH (by default now), so that the same commit
# gives the same package.
cmake_policy(VERSION 3.25)
set(root ${CPACK_TEMPORARY_DIRECTORY}/usr/share)
set(documents ${root}/doc/${CPACK_PACKAGE_NAME})
set(epoch $ENV{SOURCE_DATE_EPOCH})
if(NOT epoch)
  string(TIMESTAMP epoch %s UTC)
endif()
function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY OUTPUT_VARIABLE output OUTPUT_STRIP_TRAILING_WHITESPACE)
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(READ ${documents}/LICENSE licence)
string(REGEX MATCH "Copyright \\(c\\) ([^\n]*)" line "${licence}")
set(holder "${CMAKE_MATCH_1}")
string(REGEX REPLACE "^.*Permission is hereby" "Permission is hereby" terms "${licence}")
string(STRIP "${terms}" terms)
string(REPLACE "\n\n" "\n.\n" terms "${terms}")
string(REPLACE "\n" "\n " terms "${terms}")
file(WRITE ${documents}/copyright
  "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\nCopyright: ${holder}\n"
  "License: Expat\n ${terms}\n")
file(REMOVE ${documents}/LICENSE)

run(env LC_ALL=C date --utc --rfc-email --date=@${epoch})
file(WRITE ${documents}/changelog
  "${CPACK_PACKAGE_NAME} (${CPACK_PACKAGE_VERSION}) stable; urgency=medium\n\n"
  "  * Version ${CPACK_PACKAGE_VERSION}; what is new is in CHANGELOG.md.gz.\n\n"
  " -- ${CPACK_DEBIAN_PACKAGE_MAINTAINER}  ${output}\n")
run(gzip -9nf ${documents}/changelog ${documents}/CHANGELOG.md ${root}/man/man1/hawser.1)
run(strip --strip-unneeded --remove-section=.comment ${CPACK_TEMPORARY_DIRECTORY}/usr/bin/hawser)
run(find ${CPACK_TEMPORARY_DIRECTORY} -exec touch --no-dereference --date=@${epoch} {} +)
