// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LinuxSystem
import OCIRuntime
import SystemPackage
import Testing

@testable import ContainerMounts

@Suite struct AppliedChangesTests {
    private func configuration() throws -> OCIConfiguration {
        try OCIConfiguration(
            parsing: Array(
                #"""
                {"process":{"user":{"uid":1,"gid":2,"additionalGids":[3]}},"mounts":[
                {"destination":"/proc","type":"proc"},
                {"destination":"/b","type":"bind","source":"/srv","options":["rbind","rshared"]},
                {"destination":"/dev","type":"tmpfs","source":"tmpfs","options":["nosuid"]},
                {"destination":"/dev/shm","type":"tmpfs","source":"shm"},
                {"destination":"/proc/acpi","type":"tmpfs","source":"tmpfs"},
                {"destination":"/t/","type":"tmpfs","source":"tmpfs","options":["noexec","nosuid","nodev","rprivate","size=1m"]},
                {"destination":"/r","type":"tmpfs","source":"tmpfs","options":["ro"]}],
                "linux":{"cgroupsPath":"/docker/0f","uidMappings":[{"containerID":0,"hostID":5,"size":6}]}}
                """#.utf8))
    }

    @Test func aMountGetsWhatThePluginsGaveIt() throws {
        var changed = try configuration()
        changed.apply(
            MountPointChanges(effectiveSource: "/new", readOnly: true, options: [.nosuid, .noexec], propagation: .rslave), toMount: 1)
        let isRecursive = knowsRecursiveMountAttributes()
        let options = isRecursive ? ["ro", "rro", "nosuid", "rnosuid", "noexec", "rnoexec"] : ["ro", "nosuid", "noexec"]
        #expect(changed.mounts[1].source == "/new")
        #expect(changed.mounts[1].options == ["rbind"] + options + ["rslave"])
        changed.apply(MountPointChanges(effectiveConsistency: .cached), toMount: 6)
        #expect(changed.mounts[6] == (try configuration()).mounts[6])
        #expect(!MountPointChanges(effectiveConsistency: .cached).changesMount)
        #expect(MountPointChanges(options: [.nodev]).changesMount)
    }

    @Test func memoryBecomesABindMount() throws {
        var changed = try configuration()
        changed.apply(MountPointChanges(effectiveSource: "/srv/disk"), toMount: 5)
        #expect(changed.mounts[5].isBind && changed.mounts[5].source == "/srv/disk")
        #expect(changed.mounts[5].options == ["rbind", "noexec", "nosuid", "nodev", "rprivate"])
    }

    @Test func findsTheMountsOfMemoryThatSomebodyAskedFor() throws {
        let found = TmpfsMounts.interposed(try configuration(), container: .init(name: "box"), image: .init(name: "alpine"))
        #expect(found.map(\.configurationIndex) == [5, 6])
        #expect(
            found[0].mountPoint
                == MountPoint(
                    type: .tmpfs, source: "", destination: "/t", mode: "noexec,nosuid,nodev,rprivate,size=1m", propagation: .rprivate,
                    consistency: .default, container: .init(name: "box"), image: .init(name: "alpine")))
        #expect(found[1].mountPoint.readOnly && found[1].mountPoint.effectiveSource == "")
    }

    @Test func configurationTellsOfTheContainer() throws {
        let container = ContainerDescription(labels: ["l": "1"], name: "box").adding(try configuration(), of: "/bundle")
        #expect(
            container
                == .init(
                    labels: ["l": "1"], name: "box", user: .init(uid: 1, gid: 2, additionalGIDs: [3]),
                    uidMappings: [.init(containerID: 0, hostID: 5, size: 6)], cgroup: "/docker/0f"))
    }

    @Test(
        arguments: [
            (nil, 30.0, nil), (5.0, 30.0, 5.0), (700.0, 30.0, 600.0), (700.0, 1000.0, 700.0), (0.01, 30.0, 0.01),
        ] as [(Double?, Double, Double?)])
    func aPluginGetsTheTimeThatTheHostAllows(said: Double?, timeout: Double, allowed: Double?) {
        let properties = MountPointProperties(patterns: [], attachTimeout: said, detachTimeout: said)
        let applied = CallLimits(attach: 600, detach: 600).applied(to: properties, timeout: .seconds(timeout))
        #expect(applied.attachTimeout == allowed && applied.detachTimeout == allowed)
    }

    @Test func doctorNamesWhatIsMisspelt() throws {
        let answer =
            #"{"Success":true,"Mountd":true,"Patterns":[{"Soruce":[{"Prefix":"/srv"}]},{"Type":"bind","Source":[{"Prefx":"/srv\u001b"}]},{}]}"#
        let properties = try MountPointPropertiesResponse(Array(answer.utf8).span).properties
        #expect(
            Doctor.unknownMembers(properties) == [
                "its properties have Patterns[0].Soruce, which is not known here; this pattern then asks for every mount",
                #"its properties have Patterns[1].Source[0].Prefx, which is not known here; this pattern then is {"Source":[{}],"Type":"bind"}"#,
                "its properties have Mountd, which is not known here and has no effect",
            ])
    }
}
