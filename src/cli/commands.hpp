// The commands, each from its parsed command line to what it ends in.
#pragma once

#include "archive/tar_import.hpp"
#include "cli/options.hpp"
#include "cli/output.hpp"
#include "cli/process.hpp"
#include "store/blob_store.hpp"

#include <string>

namespace hawser {

/// Pulls images; tells its progress on stderr and its result on stdout or, where that is taken by the archive, on
/// stderr. Throws Error where nothing could even begin.
ExitCode run_pull_command(const Command& command, const Environment& environment);

/// Makes the whole archive of a delta, the last word, out of it, of the words before it, of what --with names and of
/// the cache, as a pull would write it. Throws Error: usage where the last word is no delta, not_found that names the
/// layers that are nowhere, digest_mismatch where the delta is damaged, and what import_tar() and Pull throw.
ExitCode run_apply_command(const Command& command, const Environment& environment);

/// What the registry has under the reference: a table for people, JSON, or the bytes. Without --platform an index is
/// shown as such; with it, or with --config, the manifest for the platform (the host's by default). Throws what
/// resolve_image(), Session::get_manifest() and check_config() throw.
Outcome run_inspect_command(const Command& command, const Environment& environment);
/// The digest that the reference stands for: what the registry says to a HEAD, or the digest of the bytes where it says
/// nothing; with --platform, that of the platform's manifest.
Outcome run_digest_command(const Command& command, const Environment& environment);
/// How much the reference's registry lets its clients pull, as it answers a HEAD of the manifest.
Outcome run_ratelimit_command(const Command& command, const Environment& environment);
/// Where the images come from: their endpoints in order, how they are reached, and where that is configured. Asks no
/// registry, but the helpers that keep logins. Throws what read_registries() and an EndpointLookup do.
Outcome run_config_command(const Command& command, const Environment& environment);
/// Pulls an image again and again in several ways, and tells which is the fastest: a table, JSON, CSV or Markdown. Says
/// beforehand what it will download, and asks where that is more than 1 GB. Where the registry wanted fewer requests or
/// pulls failed, ends in what that stands for, with what there was until then, as on a signal. Throws what Bench does.
Outcome run_bench_command(const Command& command, const Environment& environment);
/// The repository's tags, one a line or as a JSON array.
Outcome run_tags_command(const Command& command, const Environment& environment);

/// Checks a login with the registry and keeps it where docker login would. What is not given is asked for on standard
/// input where that is a terminal. Throws Error: usage where it is none, or nothing could be kept, unauthorized or
/// forbidden where the registry refuses, and what keep_login() and Session::check_login() throw; nothing is kept then.
Outcome run_login_command(const Command& command, const Environment& environment);
/// Removes a login from where docker login keeps it. Throws what forget_login() does.
Outcome run_logout_command(const Command& command, const Environment& environment);
/// The registry that login and logout are about: docker.io where `word` is empty, else its host and port, also out of a
/// URL. Throws Error{usage} where no image could be there.
std::string registry_named(const std::string& word);

/// Lists, verifies or prunes the cache; tells each blob that is about to be verified on standard error. verify ends in
/// `integrity` where it found a corrupt blob. Throws Error{disk}.
Outcome run_cache_command(const Command& command);
/// What verify found, for people (where quiet, what is corrupt alone) or as JSON.
std::string verify_report(const BlobStore::VerifyReport& report, const Command& command);

/// Takes tars into the cache; tells its progress, and why a tar can't be taken, on standard error. Such a tar does not
/// stop the others. Ends in `integrity` where a blob was not what its tar says, or a tar was cut short. Throws
/// Error{disk} where the cache can't be opened.
Outcome run_import_command(const Command& command);
/// What came of one tar in words: some lines, the last one ended too.
std::string import_summary(const std::string& file, const ImportReport& report);

/// Puts the parts of an archive together, or with --check only reads them; tells what each file is on standard error.
/// Ends in `integrity` where parts are missing or damaged, and the archive is not written then. Throws what
/// find_parts() and join_parts() do.
Outcome run_join_command(const Command& command, const Environment& environment);

}  // namespace hawser
