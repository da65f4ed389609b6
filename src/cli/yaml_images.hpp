// Lists of images in other tools' words: compose files and Kubernetes manifests.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hawser {

/// The value of a variable; nothing where it is not set.
using Variables = std::function<std::optional<std::string>(const std::string& name)>;

/// An image that a file names.
struct YamlImage {
  std::string image;
  std::string platform;  ///< what a compose service says; empty: nothing
  std::string place;     ///< "compose.yaml:7"
  std::string owner;     ///< "service web", "Deployment web: spec.template.spec.containers[0].image"
};

/// What a file of this kind names, and what it does not, for people.
struct YamlImages {
  std::vector<YamlImage> images;
  std::vector<std::string> notes;  ///< such as that a service is built
};

/// Whether a list of images is YAML: the first line that is no comment begins a document, a map or JSON. A line of
/// other lists never looks so, since no reference ends in a colon.
bool is_yaml_list(std::string_view text);

/// The images in `text`, which errors call `name`: of each compose file in it those of its services, where ${VARIABLE}
/// stands for what `variables` says; of Kubernetes objects every `image:`, but in ConfigMaps, Secrets and
/// CustomResourceDefinitions, and the references of image volumes. Throws Error{usage} "name:line: ..." where it is
/// neither, or a variable has no value, and what YamlFile throws.
YamlImages images_in_yaml(const std::string& name, std::string_view text, const Variables& variables);

/// `text` as compose reads it: $VARIABLE, ${VARIABLE}, with :-default, -default, :?error, ?error, :+other and +other in
/// it, and $$ for a dollar. Throws Error{usage} that names the variable where it is not set and has no default.
std::string interpolated(std::string_view text, const Variables& variables);

/// The variables of the .env file `text`, which errors call `name`; where one is set twice, the last counts. What is no
/// assignment is passed over. `outer` are those that its values may refer to, and that go before it. What is wrong with
/// a value is an error of who asks for it, Error{usage} "name:line: NAME: ..." that shows nothing of the value.
Variables variables_of(std::string_view text, const std::string& name, Variables outer);

}  // namespace hawser
