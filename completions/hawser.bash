# bash completion for hawser                                  -*- shell-script -*-
# test/cli/documented_tests_test.cpp checks that it names every command and option.

_hawser() {
  local current previous command word
  current=${COMP_WORDS[COMP_CWORD]}
  previous=${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()

  case $previous in
    --platform)
      COMPREPLY=($(compgen -W "linux/amd64 linux/arm64 linux/arm/v7 linux/arm/v6 linux/386 linux/ppc64le
        linux/riscv64 linux/s390x" -- "$current"))
      return ;;
    --format)
      COMPREPLY=($(compgen -W "docker-archive oci-archive oci-dir" -- "$current"))
      return ;;
    --max-concurrent-downloads | --max-connections)
      COMPREPLY=($(compgen -W "auto 1 2 4 8 16" -- "$current"))
      return ;;
    --connections | --layers)
      COMPREPLY=($(compgen -W "auto 1,2,4,8,16,auto" -- "$current"))
      return ;;
    --tls-min)
      COMPREPLY=($(compgen -W "1.2 1.3" -- "$current"))
      return ;;
    --cache-dir | --cert-dir)
      compopt -o filenames
      COMPREPLY=($(compgen -d -- "$current"))
      return ;;
    -o | --output | --from-file | --lock | --locked | --failed-file | --timeline | --trace-http | --html | --ca-cert | --client-cert | --client-key | --import-tar | --without | --with)
      compopt -o filenames
      COMPREPLY=($(compgen -f -- "$current"))
      return ;;
    --mirror | --insecure-registry)
      return ;;
    -u | --username | --password | --chunk-size | --limit-rate | --retries | --max-wait | --connect-timeout | \
      --stall-timeout | --resolve | --interface | --older-than | --max-size | --shard | --latest | --output-template | \
      --split | --runs | --max-bytes | --max-time)
      return ;;
  esac

  local commands="pull inspect manifest digest tags ratelimit config bench cache import apply join login logout help version"
  command=pull
  local value=
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    # The word after one of these is its value, whatever it looks like.
    if [[ $value ]]; then
      value=
      continue
    fi
    case $word in
      --platform | --from-file | -o | --output | --format | --max-concurrent-downloads | --max-connections | \
        --chunk-size | --limit-rate | --retries | --max-wait | --connect-timeout | --stall-timeout | -u | --username | \
        --password | --mirror | --insecure-registry | --ca-cert | --cert-dir | --client-cert | --client-key | --tls-min | --resolve | \
        --interface | --cache-dir | --import-tar | --without | --with | --older-than | --max-size | --shard | --latest | --output-template | \
        --lock | --locked | --failed-file | --timeline | --trace-http | --html | --split | --connections | --layers | --runs | --max-bytes | --max-time) value=1 ;;
      -*) ;;
      inspect | manifest | digest | tags | ratelimit | config | bench | cache | import | apply | join | login | logout | help | version)
        command=$word
        break ;;
      *) break ;;
    esac
  done

  local mirrors="--mirror --no-origin"
  local access="--no-registry-config --insecure-registry --retries --max-wait --connect-timeout --stall-timeout --username
    --password-stdin --password --plain-http --insecure --ca-cert --cert-dir --client-cert --client-key --tls-min --ipv4 --ipv6 --resolve
    --interface"
  local general="--json --quiet --verbose --help --version"
  if [[ $current == -* ]]; then
    local options
    case $command in
      pull) options="--platform --all-platforms --from-file --latest --locked --shard --allow-foreign-layers --dry-run --output
        --output-template --split --force --lock --failed-file --timeline --trace-http --offline --without --fine
        --format --uncompressed --max-concurrent-downloads --max-connections --chunk-size --limit-rate --cache-dir --no-cache
        --verify-cache --import-tar $mirrors $access $general" ;;
      inspect) options="--platform --config --raw $mirrors $access $general" ;;
      manifest) options="--platform $mirrors $access ${general#--json }" ;;
      digest) options="--platform $mirrors $access $general" ;;
      tags | ratelimit) options="--mirror $access $general" ;;
      bench) options="--platform --connections --layers --chunk-size --runs --max-bytes --max-time --to-tar --yes --save --csv
        --markdown --html $mirrors $access $general" ;;
      config) options="$mirrors $access $general" ;;
      cache) options="--cache-dir --older-than --max-size --keep-referenced $general" ;;
      import) options="--cache-dir $general" ;;
      apply) options="--with --output --output-template --split --force --format --uncompressed --cache-dir --no-cache --verify-cache
        $general" ;;
      join) options="--output --check $general" ;;
      login) options="$access ${general#--json }" ;;
      logout) options="${general#--json }" ;;
      *) options="--help --version" ;;
    esac
    COMPREPLY=($(compgen -W "$options" -- "$current"))
    return
  fi

  case $command in
    cache) COMPREPLY=($(compgen -W "ls du verify prune" -- "$current")) ;;
    import | apply | join)
      compopt -o filenames
      COMPREPLY=($(compgen -f -- "$current")) ;;
    help) COMPREPLY=($(compgen -W "$commands" -- "$current")) ;;
    pull) ((COMP_CWORD == 1)) && COMPREPLY=($(compgen -W "$commands" -- "$current")) ;;
  esac
}

complete -F _hawser hawser
