// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import LinuxSystem
import Testing

@testable import NFS

struct NFSExportTests {
    private func export(_ options: [String: String] = [:], _ settings: NFSSettings = NFSSettings()) throws -> NFSExport {
        try NFSExport(["server": "nas", "path": "/export"].merging(options) { $1 }, settings: settings)
    }

    /// The documented default: `nfsvers=4.1,rw,noatime,soft` where nothing is said.
    @Test func theBuiltInDefaults() throws {
        let export = try export()
        let options = try export.options(for: .volume)
        #expect(export.effectiveVersions.candidates == [.v4_1])
        #expect(options.kernel == [MountOption("soft")])
        #expect(options.generic.attributes == .noAccessTime)
        #expect(export.text == "nas:/export")
    }

    @Test func theVolumesWordBeatsTheHostsAndThatTheBuiltIn() throws {
        var settings = NFSSettings()
        settings.mountOptions = "hard,timeo=50,ro"
        settings.versions = .auto
        let host = try export([:], settings)
        #expect(try host.options(for: .volume).kernel == [MountOption("hard"), MountOption("timeo", "50")])
        #expect(try host.options(for: .volume).isReadOnly)
        #expect(host.effectiveVersions == .auto)
        let own = try export(["o": "softerr,rw", "nfsvers": "3"], settings)
        #expect(try own.options(for: .volume).kernel == [MountOption("timeo", "50"), MountOption("softerr")])
        #expect(try !own.options(for: .volume).isReadOnly)
        #expect(own.effectiveVersions.candidates == [.v3])
    }

    @Test func whatTheDaemonMountsForItselfRunsNothingAndHasNoDevices() throws {
        var settings = NFSSettings()
        settings.mountOptions = "suid,dev,exec"
        let export = try export(["o": "dev,suid,exec"], settings)
        for purpose in [MountPurpose.catalogue, .disposal] {
            let generic = try export.options(for: purpose).generic
            #expect(generic.attributes.isSuperset(of: [.noSetUID, .noDevices, .noExecution]))
            #expect(generic.flags.isSuperset(of: [.noSetUID, .noDevices, .noExecution]))
        }
        #expect(try export.options(for: .volume).generic.attributes.isDisjoint(with: [.noSetUID, .noDevices, .noExecution]))
    }

    /// Only a volume's own words can keep its directory from being archived or deleted.
    @Test func whatIsWrittenToIsMountedForIt() throws {
        var settings = NFSSettings()
        settings.mountOptions = "ro"
        let host = try export([:], settings)
        #expect(try !host.options(for: .catalogue).isReadOnly && !host.options(for: .disposal).isReadOnly)
        #expect(try export(["o": "ro"]).options(for: .disposal).isReadOnly)
    }
}
