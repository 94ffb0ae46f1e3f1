# SPDX-License-Identifier: AGPL-3.0-or-later
# bash completion of mountpoint-runc. Written by hand; flags of commands are those of runc.

_mountpoint_runc_plugins() {
    local file
    for file in /run/docker/plugins/*.sock /run/docker/plugins/*/*.sock \
        /etc/docker/plugins/*.{spec,json} /etc/docker/plugins/*/*.{spec,json} \
        /usr/lib/docker/plugins/*.{spec,json} /usr/lib/docker/plugins/*/*.{spec,json}; do
        [ -e "$file" ] || continue
        file=${file##*/}
        echo "${file%.*}"
    done
}

_mountpoint_runc() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} word command= index=1
    # bash takes the = of --flag=value for a word of its own.
    if [ "$current" = "=" ]; then current=; elif [ "$previous" = "=" ]; then previous=${COMP_WORDS[COMP_CWORD - 2]}; fi
    COMPREPLY=()
    case $previous in
        --mount-point-plugin) mapfile -t COMPREPLY < <(compgen -W "$(_mountpoint_runc_plugins)" -- "$current"); return ;;
        --log-format) mapfile -t COMPREPLY < <(compgen -W "text json" -- "$current"); return ;;
        --rootless) mapfile -t COMPREPLY < <(compgen -W "true false auto" -- "$current"); return ;;
        --runtime-path | --log | --pid-file | --console-socket | --config) mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --root | --bundle | -b | --image-path | --work-path) mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
    esac
    while [ "$index" -lt "$COMP_CWORD" ]; do
        word=${COMP_WORDS[index]}
        case $word in
            --mount-point-plugin | --runtime-path | --root | --log | --log-format | --criu | --rootless)
                index=$((index + 1))
                [ "${COMP_WORDS[index]}" != "=" ] || index=$((index + 1))
                ;;
            -*) ;;
            *) command=$word; break ;;
        esac
        index=$((index + 1))
    done
    case $command in
        "")
            case $current in
                -*) word="--mount-point-plugin --runtime-path --root --log --log-format --debug --systemd-cgroup --rootless --criu --help --version" ;;
                *) word="doctor status ask detach recover checkpoint create delete events exec features kill list pause ps restore resume run spec start state update help" ;;
            esac
            ;;
        create | run | restore)
            word="--bundle --pid-file --console-socket --preserve-fds --no-pivot"
            [ "$command" = create ] || word+=" --detach --no-subreaper"
            [ "$command" != run ] || word+=" --keep --no-new-keyring"
            [ "$command" != create ] || word+=" --no-new-keyring"
            [ "$command" != restore ] || word+=" --image-path --work-path"
            [[ $current == -* ]] || word=
            ;;
        status)
            word="--json"
            [[ $current == -* ]] || word=$(mountpoint-runc list -q 2>/dev/null)
            ;;
        ask)
            word="--volume --mount --volume-driver --label --name --image --image-label --dry-run --json --help"
            [[ $current == -* ]] || word=
            ;;
        delete | kill | start | state | pause | resume | ps | exec | events | update | checkpoint)
            word=
            if [[ $current == -* ]]; then
                case $command in
                    delete) word="--force" ;;
                    kill) word="--all" ;;
                esac
            else
                word=$(mountpoint-runc list -q 2>/dev/null)
            fi
            ;;
        *) word= ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$word" -- "$current")
}

complete -F _mountpoint_runc mountpoint-runc
