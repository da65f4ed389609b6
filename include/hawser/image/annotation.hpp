// The annotations by which tools know an image in an index.json (OCI image-spec, "Annotations").
#pragma once

namespace hawser::annotation {

inline constexpr const char* image_name = "io.containerd.image.name";         ///< containerd's: the full name
inline constexpr const char* ref_name = "org.opencontainers.image.ref.name";  ///< the tag, as a rule

}  // namespace hawser::annotation
