# SPDX-License-Identifier: AGPL-3.0-or-later
# fish completion of mountpoint-runc. Written by hand; flags of commands are those of runc.

function __mountpoint_runc_plugins
    for folder in /run/docker/plugins /etc/docker/plugins /usr/lib/docker/plugins
        for file in $folder/*.sock $folder/*.spec $folder/*.json $folder/*/*.sock $folder/*/*.spec $folder/*/*.json
            string replace -r '.*/' '' -- $file | string replace -r '\.[a-z]*$' ''
        end
    end
end

set -l commands doctor status ask detach recover create run restore start delete kill checkpoint events exec features list pause ps resume spec state update help
set -l none "not __fish_seen_subcommand_from $commands"
set -l making "__fish_seen_subcommand_from create run restore"
set -l existing "__fish_seen_subcommand_from status start delete kill checkpoint events exec pause ps resume state update"

complete -c mountpoint-runc -f
complete -c mountpoint-runc -n $none -l mount-point-plugin -x -a '(__mountpoint_runc_plugins)' -d 'A plugin of the chain'
complete -c mountpoint-runc -n $none -l runtime-path -r -F -d 'The runtime below'
complete -c mountpoint-runc -n $none -l root -x -a '(__fish_complete_directories)' -d 'Folder of states'
complete -c mountpoint-runc -n $none -l log -r -F -d 'File for errors'
complete -c mountpoint-runc -n $none -l log-format -x -a 'text json' -d 'Form of the log'
complete -c mountpoint-runc -n $none -l debug -d 'Log more'
complete -c mountpoint-runc -n $none -l systemd-cgroup -d 'Let systemd make control groups'
complete -c mountpoint-runc -n $none -l rootless -x -a 'true false auto' -d 'Without root'
complete -c mountpoint-runc -n $none -l help -s h -d 'Help of the runtime below'
complete -c mountpoint-runc -n $none -l version -s v -d 'Version of the runtime below'
complete -c mountpoint-runc -n $none -a doctor -d 'Say what is wrong with settings, plugins and containers'
complete -c mountpoint-runc -n $none -a detach -d 'Ask plugins again that could not be asked to detach'
complete -c mountpoint-runc -n $none -a recover -d 'Tell plugins of containers that a reboot has ended'
complete -c mountpoint-runc -n $none -a status -d 'Show which plugins have attached to which mounts'
complete -c mountpoint-runc -n $none -a ask -d 'Ask plugins what they would make of mounts'
complete -c mountpoint-runc -n $none -a "$commands[6..]"
complete -c mountpoint-runc -n "__fish_seen_subcommand_from status ask" -l json -d 'As JSON'
complete -c mountpoint-runc -n "__fish_seen_subcommand_from ask" -l dry-run -d 'Only say who would be asked'
complete -c mountpoint-runc -n "__fish_seen_subcommand_from ask" -l volume -s v -r -F -d 'A mount, SOURCE:PATH[:MODE]'
for flag in mount volume-driver label name image image-label
    complete -c mountpoint-runc -n "__fish_seen_subcommand_from ask" -l $flag -x
end
complete -c mountpoint-runc -n $making -l bundle -s b -x -a '(__fish_complete_directories)' -d 'Folder of the bundle'
complete -c mountpoint-runc -n $making -l pid-file -r -F -d 'File for the process id'
complete -c mountpoint-runc -n $making -l console-socket -r -F -d 'Socket for the terminal'
complete -c mountpoint-runc -n "__fish_seen_subcommand_from run restore" -l detach -s d -d 'Return when it runs'
complete -c mountpoint-runc -n $existing -a '(mountpoint-runc list -q 2>/dev/null)' -d Container
complete -c mountpoint-runc -n "__fish_seen_subcommand_from delete" -l force -s f -d 'Kill it if it runs'
complete -c mountpoint-runc -n "__fish_seen_subcommand_from kill" -l all -s a -d 'All its processes'
