// The kinds of output that images are written into with the layers as the registry served them.
#pragma once

namespace hawser {

/// What a pull writes.
enum class OutputFormat {
  docker_archive,  ///< what `docker save` writes since 25.0: a tar of an OCI image layout with manifest.json beside it
  oci_archive,     ///< a tar of an OCI image layout (image-spec, "Image Layout")
  oci_dir,         ///< an OCI image layout as a directory
  nothing,         ///< no output: what arrives is hashed and forgotten, and no disk is touched
};

}  // namespace hawser
