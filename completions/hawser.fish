# fish completion for hawser. test/cli/documented_tests_test.cpp checks that it names every command and option.

complete -c hawser -f

function __hawser_command --description "The command on the command line; pull where there is none"
    set --local value
    for word in (commandline -opc)[2..]
        # The word after one of these is its value, whatever it looks like.
        if test -n "$value"
            set value
            continue
        end
        switch $word
            case --platform --from-file -o --output --format --max-concurrent-downloads --max-connections --chunk-size
                set value 1
            case --limit-rate --retries --max-wait --connect-timeout --stall-timeout -u --username --password --ca-cert
                set value 1
            case --cert-dir --client-cert --client-key --tls-min --resolve --interface
                set value 1
            case --mirror --insecure-registry --cache-dir --import-tar --without --with --older-than --shard
                set value 1
            case --connections --layers --runs --max-bytes --max-time
                set value 1
            case --latest --split --lock --locked --failed-file --timeline --trace-http --html --output-template --max-size
                set value 1
            case "-*"
                continue
            case inspect manifest digest tags ratelimit config bench cache import apply join login logout help version
                echo $word
                return
            case "*"
                break
        end
    end
    echo pull
end

complete -c hawser -n '__fish_is_first_token' -a pull -d 'pull images'
complete -c hawser -n '__fish_is_first_token' -a inspect -d 'show a manifest, an index or a config'
complete -c hawser -n '__fish_is_first_token' -a manifest -d 'print a manifest or an index'
complete -c hawser -n '__fish_is_first_token' -a digest -d 'print the digest of an image'
complete -c hawser -n '__fish_is_first_token' -a tags -d 'list tags'
complete -c hawser -n '__fish_is_first_token' -a ratelimit -d 'show how much a registry lets you pull'
complete -c hawser -n '__fish_is_first_token' -a config -d 'show where an image comes from'
complete -c hawser -n '__fish_is_first_token' -a bench -d 'find out how many connections are the fastest'
complete -c hawser -n '__fish_is_first_token' -a cache -d 'look after the layer cache'
complete -c hawser -n '__fish_is_first_token' -a import -d 'take the layers of image tars into the cache'
complete -c hawser -n '__fish_is_first_token' -a apply -d 'make a whole archive of a delta'
complete -c hawser -n '__fish_is_first_token' -a join -d 'put an archive in parts together'
complete -c hawser -n '__fish_is_first_token' -a login -d 'check a login and keep it'
complete -c hawser -n '__fish_is_first_token' -a logout -d 'remove a login that is kept'
complete -c hawser -n '__fish_is_first_token' -a help -d 'show help'
complete -c hawser -n '__fish_is_first_token' -a version -d 'show the version'
complete -c hawser -n 'test (__hawser_command) = cache' -a 'ls du verify prune'
complete -c hawser -n 'contains (__hawser_command) import apply join' -F
complete -c hawser -n 'test (__hawser_command) = help' -a 'pull inspect manifest digest tags ratelimit config bench cache import apply join login logout help version'

complete -c hawser -n 'contains (__hawser_command) pull inspect manifest digest bench' -l platform -x -a 'linux/amd64 linux/arm64 linux/arm/v7 linux/386 linux/ppc64le linux/riscv64 linux/s390x' -d 'platform to pull'
complete -c hawser -n 'contains (__hawser_command) pull' -l all-platforms -d 'every platform of the image'
complete -c hawser -n 'contains (__hawser_command) pull' -l from-file -r -F -d 'pull the images named in a list'
complete -c hawser -n 'contains (__hawser_command) pull' -l latest -x -d 'the newest tags of a pattern'
complete -c hawser -n 'contains (__hawser_command) pull' -l locked -r -F -d 'pull what the tags stood for in a lock'
complete -c hawser -n 'contains (__hawser_command) pull apply' -l split -x -d 'write archives in parts of that size'
complete -c hawser -n 'contains (__hawser_command) join' -l check -d 'only check the parts'
complete -c hawser -n 'contains (__hawser_command) pull' -l lock -r -F -d 'write what the tags stand for'
complete -c hawser -n 'contains (__hawser_command) pull' -l failed-file -r -F -d 'write a list of what failed'
complete -c hawser -n 'contains (__hawser_command) pull' -l timeline -r -F -d 'write where the time went'
complete -c hawser -n 'contains (__hawser_command) pull' -l trace-http -r -F -d 'write all requests and answers as HAR'
complete -c hawser -n 'contains (__hawser_command) pull apply' -l output-template -x -d 'names of the files'
complete -c hawser -n 'contains (__hawser_command) pull apply' -l force -d 'write a tar again that is up to date'
complete -c hawser -n 'contains (__hawser_command) pull' -l without -r -F -d 'leave out the layers that a file tells of'
complete -c hawser -n 'contains (__hawser_command) pull' -l fine -d 'of layers that resemble those, write the differences alone'
complete -c hawser -n 'contains (__hawser_command) apply' -l with -r -F -d 'what has the layers that the delta lacks'
complete -c hawser -n 'contains (__hawser_command) pull' -l offline -d 'take everything from the cache'
complete -c hawser -n 'contains (__hawser_command) pull' -l shard -x -d 'pull the I-th and every N-th image after it'
complete -c hawser -n 'contains (__hawser_command) pull' -l allow-foreign-layers -d 'fetch layers from the URLs in the manifest'
complete -c hawser -n 'contains (__hawser_command) pull' -l dry-run -d 'show what would be fetched'
complete -c hawser -n 'contains (__hawser_command) bench' -l connections -x -a '1,2,4,8,16,auto' -d 'numbers of connections to compare'
complete -c hawser -n 'contains (__hawser_command) bench' -l layers -x -a '1,3,5,auto' -d 'numbers of layers at once to compare'
complete -c hawser -n 'contains (__hawser_command) bench' -l runs -x -d 'rounds'
complete -c hawser -n 'contains (__hawser_command) bench' -l max-bytes -x -d 'bytes to download at most'
complete -c hawser -n 'contains (__hawser_command) bench' -l max-time -x -d 'time to end after'
complete -c hawser -n 'contains (__hawser_command) bench' -l to-tar -d 'write a tar in each run'
complete -c hawser -n 'contains (__hawser_command) bench' -l yes -d 'do not ask before much is downloaded'
complete -c hawser -n 'contains (__hawser_command) bench' -l save -d 'keep what was found for the registry'
complete -c hawser -n 'contains (__hawser_command) bench' -l csv -d 'each sample as a line of CSV'
complete -c hawser -n 'contains (__hawser_command) bench' -l markdown -d 'the table in Markdown'
complete -c hawser -n 'contains (__hawser_command) bench' -l html -r -F -d 'write a page with charts, too'
complete -c hawser -n 'contains (__hawser_command) inspect' -l config -d 'show the config'
complete -c hawser -n 'contains (__hawser_command) inspect' -l raw -d 'print the document byte for byte'
complete -c hawser -n 'contains (__hawser_command) pull apply join' -l output -s o -r -F -d 'file or directory to write to'
complete -c hawser -n 'contains (__hawser_command) pull' -l format -x -a 'docker-archive oci-archive oci-dir' -d 'format of the output'
complete -c hawser -n 'contains (__hawser_command) pull' -l uncompressed -d 'layers as plain tars'
complete -c hawser -n 'contains (__hawser_command) pull inspect digest tags ratelimit config bench cache import apply join' -l json -d 'result as JSON'
complete -c hawser -n 'contains (__hawser_command) pull' -l max-concurrent-downloads -x -a auto -d 'layers downloaded at once'
complete -c hawser -n 'contains (__hawser_command) pull' -l max-connections -x -a auto -d 'connections to one origin'
complete -c hawser -n 'contains (__hawser_command) pull bench' -l chunk-size -x -d 'bytes of one range'
complete -c hawser -n 'contains (__hawser_command) pull' -l limit-rate -x -d 'bytes a second in all'
complete -c hawser -n 'contains (__hawser_command) pull inspect manifest digest tags ratelimit config bench login' -l retries -x -d 'failures in a row before giving up'
complete -c hawser -n 'contains (__hawser_command) pull inspect manifest digest tags ratelimit config bench login' -l max-wait -x -d 'longest wait that a registry may ask for'
complete -c hawser -n 'contains (__hawser_command) pull inspect manifest digest tags ratelimit config bench login' -l connect-timeout -x -d 'time to connect in'
complete -c hawser -n 'contains (__hawser_command) pull inspect manifest digest tags ratelimit config bench login' -l stall-timeout -x -d 'try again when no byte came for so long'
complete -c hawser -n 'contains (__hawser_command) pull inspect manifest digest tags ratelimit config bench login' -l username -s u -x -d 'user at the registry'
complete -c hawser -n 'contains (__hawser_command) pull inspect manifest digest tags ratelimit config bench login' -l password-stdin -d 'read the password from standard input'
complete -c hawser -n 'contains (__hawser_command) pull inspect manifest digest tags ratelimit config bench login' -l password -x -d 'password at the registry'
complete -c hawser -n 'contains (__hawser_command) pull inspect manifest digest tags ratelimit config bench' -l mirror -x -d 'ask this mirror first'
complete -c hawser -n 'contains (__hawser_command) pull inspect manifest digest config bench' -l no-origin -d 'ask mirrors alone'
complete -c hawser -n 'contains (__hawser_command) pull inspect manifest digest tags ratelimit config bench login' -l no-registry-config -d 'read no mirrors and short names from other tools'
complete -c hawser -n 'contains (__hawser_command) pull inspect manifest digest tags ratelimit config bench login' -l insecure-registry -x -a '(__fish_print_hostnames)' -d 'trust any TLS certificate of a host'
complete -c hawser -n 'contains (__hawser_command) pull inspect manifest digest tags ratelimit config bench login' -l plain-http -d 'HTTP without TLS'
complete -c hawser -n 'contains (__hawser_command) pull inspect manifest digest tags ratelimit config bench login' -l insecure -d 'trust any TLS certificate'
complete -c hawser -n 'contains (__hawser_command) pull inspect manifest digest tags ratelimit config bench login' -l ca-cert -r -F -d 'trust these CA certificates, too'
complete -c hawser -n 'contains (__hawser_command) pull inspect manifest digest tags ratelimit config bench login' -l cert-dir -x -a '(__fish_complete_directories)' -d 'CA and client certificates, instead of certs.d'
complete -c hawser -n 'contains (__hawser_command) pull inspect manifest digest tags ratelimit config bench login' -l client-cert -r -F -d 'client certificate for the registry'
complete -c hawser -n 'contains (__hawser_command) pull inspect manifest digest tags ratelimit config bench login' -l client-key -r -F -d 'key of the client certificate'
complete -c hawser -n 'contains (__hawser_command) pull inspect manifest digest tags ratelimit config bench login' -l tls-min -x -a '1.2 1.3' -d 'oldest TLS to speak'
complete -c hawser -n 'contains (__hawser_command) pull inspect manifest digest tags ratelimit config bench login' -l ipv4 -s 4 -d 'IPv4 addresses alone'
complete -c hawser -n 'contains (__hawser_command) pull inspect manifest digest tags ratelimit config bench login' -l ipv6 -s 6 -d 'IPv6 addresses alone'
complete -c hawser -n 'contains (__hawser_command) pull inspect manifest digest tags ratelimit config bench login' -l resolve -x -d 'address of a host and port'
complete -c hawser -n 'contains (__hawser_command) pull inspect manifest digest tags ratelimit config bench login' -l interface -x -d 'interface or address to go out by'
complete -c hawser -n 'contains (__hawser_command) pull cache import apply' -l cache-dir -x -a '(__fish_complete_directories)' -d 'layer cache'
complete -c hawser -n 'contains (__hawser_command) pull apply' -l no-cache -d 'do without the cache'
complete -c hawser -n 'contains (__hawser_command) pull apply' -l verify-cache -d 'hash cached layers before use'
complete -c hawser -n 'contains (__hawser_command) pull' -l import-tar -r -F -d 'take layers of an image tar into the cache'
complete -c hawser -n 'contains (__hawser_command) cache' -l max-size -x -d 'size that the cache is pruned to'
complete -c hawser -n 'contains (__hawser_command) cache' -l keep-referenced -d 'keep what images consist of'
complete -c hawser -n 'contains (__hawser_command) cache' -l older-than -x -d 'age of what is pruned'
complete -c hawser -n 'contains (__hawser_command) pull inspect manifest digest tags ratelimit config bench cache import apply join login logout' -l quiet -s q -d 'show errors only'
complete -c hawser -n 'contains (__hawser_command) pull inspect manifest digest tags ratelimit config bench cache import apply join login logout' -l verbose -s v -d 'show what is being done'
complete -c hawser -l help -s h -d 'show help'
complete -c hawser -l version -d 'show the version'
