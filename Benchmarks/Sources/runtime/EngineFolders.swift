// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import Measuring

/// What Docker has on a host, in this program's own mounts, and for each container what Docker and containerd write before they call
/// the runtime: a bundle, and Docker's own record beside the root file system.
struct EngineFolders {
    static let runtimeRoot = "/run/docker/runtime-runc/moby"
    private static let image = String(repeating: "1d", count: 32)

    let data: String
    /// Of the one bind mount that plugins are asked about.
    let source: String
    private let rootFolder: String

    init(_ settings: RuntimeSettings, in folder: String) throws {
        try Isolation.coverEngineFolders()
        data = folder + "/docker"
        source = folder + "/srv/data"
        rootFolder = "\(data)/overlay2/\(Self.image)/merged"
        let images = "\(data)/image/overlay2/imagedb/content/sha256"
        let folders = ["/run/docker/plugins", data + "/containers", images, source, Self.runtimeRoot]
        try run("mkdir", ["-p"] + folders + ["dev", "etc", "proc", "sys", "data"].map { "\(rootFolder)/\($0)" })
        for file in ["hosts", "hostname", "resolv.conf"] { try writeFile("\(rootFolder)/etc/\(file)", "") }
        try run("cp", [settings.pause, rootFolder + "/pause"])
        try writeFile("\(images)/\(Self.image)", Self.imageDescription)
    }

    /// The chain of containers that are created from now on.
    ///
    /// - Parameter below: a path, or a name for PATH.
    func setChain(_ plugins: [String], below: String) throws {
        let names = plugins.map { "\"\($0)\"" }.joined(separator: ", ")
        let path = below.hasPrefix("/") ? ",\n  \"runtime-path\": \"\(below)\"" : ""
        try writeFile("/etc/docker/mountpoint-runc.json", "{\n  \"mount-point-plugins\": [\(names)]\(path)\n}\n")
    }

    /// - Returns: the path of the bundle.
    func makeBundle(_ id: String) throws -> String {
        let bundle = "/run/containerd/io.containerd.runtime.v2.task/moby/\(id)"
        let record = "\(data)/containers/\(id)"
        try run("mkdir", ["-p", bundle, record])
        for file in ["hosts", "hostname", "resolv.conf"] { try writeFile("\(record)/\(file)", "bench\n") }
        try writeFile(bundle + "/config.json", configuration(id, record))
        try writeFile(record + "/config.v2.json", engineRecord(id, record))
        return bundle
    }

    // MARK: Files

    private static var imageDescription: String {
        #"{"architecture":"amd64","config":{"Env":["PATH=/usr/bin"],"Cmd":["/pause"],"Labels":{"one":"1","two":"2"}},"#
            + #""docker_version":"20.10.24","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:\#(image)"]}}"#
    }

    private func engineRecord(_ id: String, _ record: String) -> String {
        let labels = (0..<8).map { #""com.example.label-\#($0)":"value \#($0)""# }.joined(separator: ",")
        return #"{"StreamConfig":{},"State":{"Running":false,"Pid":0,"ExitCode":0,"Health":null},"ID":"\#(id)","#
            + #""Created":"2026-01-01T00:00:00.0Z","Managed":false,"Path":"/pause","Args":[],"Config":{"Hostname":"bench","Tty":false,"#
            + #""Env":\#(Self.list(Self.environment)),"Cmd":["/pause"],"Image":"bench","Labels":{\#(labels)}},"Image":"sha256:\#(Self.image)","#
            + #""NetworkSettings":{"Networks":{"none":{"NetworkID":"","MacAddress":""}}},"Name":"/bench","Driver":"overlay2","OS":"linux","#
            + #""MountPoints":{"/data":{"Source":"\#(source)","Destination":"/data","RW":true,"Name":"","Driver":"","Type":"bind","#
            + #""Propagation":"rprivate","Spec":{"Type":"bind","Source":"\#(source)","Target":"/data"},"SkipMountpointCreation":false}},"#
            + #""HostnamePath":"\#(record)/hostname","HostsPath":"\#(record)/hosts","ResolvConfPath":"\#(record)/resolv.conf","#
            + #""SeccompProfile":"","NoNewPrivileges":false}"#
    }

    /// As dockerd composes it, for a service with a good many variables.
    private func configuration(_ id: String, _ record: String) -> String {
        let capabilities = Self.list(
            ["CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP", "NET_BIND_SERVICE"]
                .map { "CAP_\($0)" } + ["CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE"])
        let devices = [(1, 5), (1, 3), (1, 9), (1, 8), (5, 0), (5, 1)]
            .map { #"{"allow":true,"type":"c","major":\#($0),"minor":\#($1),"access":"rwm"}"# }.joined(separator: ",")
        let calls = Self.list(SystemCallNames.allowed.map(String.init))
        let masked = [
            "/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/sys/firmware",
        ]
        return #"{"ociVersion":"1.0.2-dev","process":{"user":{"uid":0,"gid":0,"additionalGids":[0]},"args":["/pause"],"#
            + #""env":\#(Self.list(Self.environment)),"cwd":"/","capabilities":{"bounding":\#(capabilities),"effective":\#(capabilities),"#
            + #""permitted":\#(capabilities)},"oomScoreAdj":0},"root":{"path":"\#(rootFolder)"},"hostname":"bench","mounts":\#(mounts(record)),"#
            + #""linux":{"sysctl":{"net.ipv4.ip_unprivileged_port_start":"0"},"resources":{"devices":[{"allow":false,"access":"rwm"},"#
            + #"\#(devices)],"memory":{"limit":268435456},"cpu":{"shares":0},"pids":{"limit":512}},"cgroupsPath":"/\#(ControlGroups.name)/\#(id)","#
            + #""namespaces":[{"type":"mount"},{"type":"network"},{"type":"uts"},{"type":"pid"},{"type":"ipc"}],"#
            + #""seccomp":{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86","SCMP_ARCH_X32"],"#
            + #""syscalls":[{"names":\#(calls),"action":"SCMP_ACT_ALLOW"}]},"maskedPaths":\#(Self.list(masked)),"#
            + #""readonlyPaths":["/proc/bus","/proc/fs","/proc/irq","/proc/sys","/proc/sysrq-trigger"]}}"#
    }

    private func mounts(_ record: String) -> String {
        func mount(_ destination: String, _ type: String, _ source: String, _ options: String...) -> String {
            #"{"destination":"\#(destination)","type":"\#(type)","source":"\#(source)","options":\#(Self.list(options))}"#
        }
        let hidden = ["nosuid", "noexec", "nodev"]
        let all = [
            mount("/proc", "proc", "proc", hidden[0], hidden[1], hidden[2]),
            mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
            mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
            mount("/sys", "sysfs", "sysfs", hidden[0], hidden[1], hidden[2], "ro"),
            mount("/dev/mqueue", "mqueue", "mqueue", hidden[0], hidden[1], hidden[2]),
            mount("/dev/shm", "tmpfs", "shm", hidden[0], hidden[1], hidden[2], "mode=1777", "size=67108864"),
            mount("/data", "bind", source, "rbind", "rprivate"),
            mount("/etc/resolv.conf", "bind", record + "/resolv.conf", "rbind", "rprivate"),
            mount("/etc/hostname", "bind", record + "/hostname", "rbind", "rprivate"),
            mount("/etc/hosts", "bind", record + "/hosts", "rbind", "rprivate"),
        ]
        return "[\(all.joined(separator: ","))]"
    }

    private static let environment =
        ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=bench"]
        + (0..<120).map { "SERVICE_NUMBER_\($0)_ADDRESS=tcp://service-\($0).example.internal:\(8000 + $0)/path" }

    private static func list(_ words: [String]) -> String { "[\(words.map { "\"\($0)\"" }.joined(separator: ","))]" }
}
