// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import NFS
import Testing

/// What mount.nfs(8) would hand to the kernel. fs/nfs/fs_context.c.
struct NFSPlanTests {
    private func parameters(
        _ version: NFSVersion, _ options: String = "", server: String = "nas", address: ServerAddress = .init(.ipv4, "192.0.2.7"),
        path: String = "/export",
        mountAddress: ServerAddress? = nil
    ) throws -> MountPlan {
        MountPlan(
            server: ServerName(server)!, path: path, address: address, version: version, options: try NFSOptions(options),
            mountAddress: mountAddress)
    }

    @Test(
        arguments: [
            (.v4_2, "", "vers=4.2,addr=192.0.2.7,proto=tcp"), (.v4_0, "hard,timeo=50", "vers=4.0,addr=192.0.2.7,proto=tcp,hard,timeo=50"),
            (.v4_1, "rdma,port=20049", "vers=4.1,addr=192.0.2.7,proto=rdma,port=20049"),
            // What only version 3 has is left out of 4, so that one list serves both.
            (
                .v4_1, "nolock,mountport=3,mountproto=udp,mountvers=3,local_lock=all,namlen=9,noacl,rsize=1",
                "vers=4.1,addr=192.0.2.7,proto=tcp,rsize=1"
            ),
            (.v3, "", "vers=3,addr=192.0.2.7,proto=tcp,mountaddr=192.0.2.7,mountproto=tcp"),
            (.v3, "udp,nolock", "vers=3,addr=192.0.2.7,proto=udp,mountaddr=192.0.2.7,mountproto=udp,nolock"),
            (.v3, "rdma", "vers=3,addr=192.0.2.7,proto=rdma,mountaddr=192.0.2.7,mountproto=tcp"),
            (
                .v3, "mountproto=udp,port=1,mountport=2",
                "vers=3,addr=192.0.2.7,proto=tcp,mountaddr=192.0.2.7,mountproto=udp,port=1,mountport=2"
            ),
            (.v3, "mountaddr=192.0.2.9", "vers=3,addr=192.0.2.7,proto=tcp,mountproto=tcp,mountaddr=192.0.2.9"),
            (.v3, "ro,sync,retry=3,_netdev,vers=3,addr=x", "vers=3,addr=192.0.2.7,proto=tcp,mountaddr=192.0.2.7,mountproto=tcp"),
        ] as [(NFSVersion, String, String)])
    func optionLists(version: NFSVersion, options: String, expected: String) throws {
        let result = try parameters(version, options)
        #expect(result.options.map(\.description).joined(separator: ",") == expected)
        #expect(result.dataString == expected)
        #expect(result.fileSystem == (version == .v3 ? "nfs" : "nfs4"))
        #expect(result.source == "nas:/export")
    }

    @Test func theTransportFollowsTheAddress() throws {
        let six = ServerAddress(.ipv6, "fe80::7%eth0")
        let new = try parameters(.v4_1, "", server: "fe80::7%eth0", address: six)
        #expect(new.dataString == "vers=4.1,addr=fe80::7%eth0,proto=tcp6")
        #expect(new.source == "[fe80::7%eth0]:/export")
        #expect(
            try parameters(.v3, "udp", address: six).dataString
                == "vers=3,addr=fe80::7%eth0,proto=udp6,mountaddr=fe80::7%eth0,mountproto=udp6")
        #expect(try parameters(.v4_2, "proto=tcp6", address: six).dataString == "vers=4.2,addr=fe80::7%eth0,proto=tcp6")
    }

    @Test func theMountHostMayHaveAnAddressOfAnotherFamily() throws {
        let result = try parameters(.v3, "", address: .init(.ipv6, "2001:db8::7"), mountAddress: .init(.ipv4, "192.0.2.9"))
        #expect(result.dataString == "vers=3,addr=2001:db8::7,proto=tcp6,mountaddr=192.0.2.9,mountproto=tcp")
    }

    @Test func genericOptionsGoBesideTheList() throws {
        let result = try parameters(.v4_1, "ro,noatime,sync,hard")
        #expect(result.dataString == "vers=4.1,addr=192.0.2.7,proto=tcp,hard")
        #expect(result.generic.superblockWords == ["ro", "sync"])
        #expect(result.generic.attributes == [.readOnly, .noAccessTime])
        #expect(result.generic.flags == [.readOnly, .noAccessTime, .synchronous])
    }

    /// fsconfig(2) takes strings of at most 256 bytes, with the NUL.
    @Test func tellsWhatFitsFSConfig() throws {
        let room = 255 - "nas:".utf8.count
        #expect(try parameters(.v4_1, path: "/" + String(repeating: "p", count: room - 1)).fitsFSConfig)
        #expect(try !parameters(.v4_1, path: "/" + String(repeating: "p", count: room)).fitsFSConfig)
        #expect(try parameters(.v4_1, "context=" + String(repeating: "c", count: 255)).fitsFSConfig)
        #expect(try !parameters(.v4_1, "context=" + String(repeating: "c", count: 256)).fitsFSConfig)
    }

    @Test func aCommaInAValueCannotGoIntoAList() throws {
        let result = try parameters(.v4_1, #"context="a,b",hard"#)
        #expect(result.dataString == nil)
        #expect(result.options.last == MountOption("hard"))
        #expect(result.options.contains(MountOption("context", "a,b")))
    }
}
