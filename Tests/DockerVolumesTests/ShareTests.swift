// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import KernelMount
import NFS
import Testing

@testable import DockerVolumes
@testable import SharedCatalogue
@testable import Volumes

@Suite struct ShareTests {
    @Test(arguments: [("nas:/export", "nas:/export"), ("[2001:db8::7]:/x//y/", "[2001:db8::7]:/x/y"), ("192.0.2.1:/", "192.0.2.1:/")])
    func isReadAsDeviceIs(text: String, shown: String) throws { #expect(try Share(text).text == shown) }

    @Test(arguments: ["", "nas", ":/export", "nas:export", "nas:/a/../b", "na s:/x"])
    func otherTextsAreRefused(text: String) { #expect(throws: StorageError.self) { try Share(text) } }

    @Test(arguments: [
        ([:], true), (["o": "hard"], true), (["subdir": "a/b", "onremove": "delete"], true), (["server": "nas"], false),
        (["path": "/x"], false), (["device": ":/x"], false), (["o": "addr=nas"], false),
        (["o": "nfsvers=3,mounthost=nas"], false), (["o": "nfsvers=3,mountaddr=192.0.2.1"], false),
    ])
    func holdsWhatNamesNoServer(options: [String: String], held: Bool) { #expect(NFS().namesServer(options) != held) }

    @Test func aVolumeIsADirectoryOfItsEncodedName() throws {
        let share = try Share("nas:/export")
        let plain = try share.options([:], of: try #require(VolumeName("web")))
        #expect(plain.canonical == ["server": "nas", "path": "/export", "subdir": "web", "create": "true", "mode": "0755"])
        let odd = try share.options(["mode": "0700"], of: try #require(VolumeName("../.docker-nfsd")))
        #expect(odd.subdirectory?.components == ["%2E.%2F.docker-nfsd"] && odd.canonical["mode"] == "0700")
        let chosen = try share.options(["subdir": "apps/web", "create": "false"], of: try #require(VolumeName("web")))
        #expect(chosen.subdirectory?.path == "apps/web" && chosen.subdirectory?.creation == nil)
    }

    @Test func theCataloguesOwnFolderIsNobodysVolume() throws {
        let share = try Share("nas:/export")
        #expect(throws: StorageError.self) {
            try share.options(["subdir": "./.docker-nfsd/volumes"], of: try #require(VolumeName("web")))
        }
    }

    // MARK: Definitions

    private func definition(_ options: [String: String] = [:]) throws -> VolumeDefinition {
        let (share, name) = (try Share("nas:/export"), try #require(VolumeName("web")))
        return VolumeDefinition(
            name: name, owner: "nfsd", createdAt: "2026-03-01T12:00:00Z", options: try share.options(options, of: name), share: share)
    }

    @Test func theCatalogueDoesNotSayHowTheShareIsReached() throws {
        let original = try definition(["onremove": "delete", "o": "hard"])
        let bytes = original.catalogueJSON.encoded()
        #expect(!String(decoding: bytes, as: UTF8.self).contains("nas"))
        // The same share by another name is another host's own affair.
        let elsewhere = try VolumeDefinition(parsing: bytes, in: try Share("192.0.2.1:/data"))
        #expect(elsewhere.options.source.text == "192.0.2.1:/data")
        #expect(elsewhere.options.removal == .delete && elsewhere.options.canonical["o"] == "hard")
        #expect(try VolumeDefinition(parsing: bytes, in: try Share("nas:/export")) == original)
    }

    @Test func thisHostsCopySaysOfWhichShareItIs() throws {
        let original = try definition()
        #expect(try VolumeDefinition(parsing: original.json.encoded()) == original)
    }

    @Test(arguments: [
        (#"{"format":1,"name":"web","driver":"nfsd","createdAt":"2026-03-01T12:00:00Z","options":{"server":"evil"}}"#, "names no server"),
        (#"{"format":1,"name":"web","driver":"nfsd","createdAt":"2026-03-01T12:00:00Z","options":{"o":"addr=evil"}}"#, "names no server"),
        (
            #"{"format":1,"name":"web","driver":"nfsd","createdAt":"2026-03-01T12:00:00Z","options":{"o":"nfsvers=3,mounthost=evil"}}"#,
            "names no server"
        ),
        (#"{"format":1,"name":"web","driver":"local","createdAt":"2026-03-01T12:00:00Z","options":{}}"#, "driver"),
        (#"{"format":1,"name":"web","driver":"nfsd","createdAt":"yesterday","options":{}}"#, "createdAt"),
        (#"{"format":1,"name":"web","driver":"nfsd","createdAt":"2026-03-01T12:00:00+1","options":{}}"#, "createdAt"),
        (#"{"format":1,"name":"w\neb","driver":"nfsd","createdAt":"2026-03-01T12:00:00Z","options":{}}"#, "control character"),
        (#"{"format":1,"name":"web","driver":"nfsd","createdAt":"2026-03-01T12:00:00Z","options":{"subdir":"../x"}}"#, ".."),
        (#"{"format":1,"name":"web","driver":"nfsd","createdAt":"2026-03-01T12:00:00Z","options":{"frobnicate":"1"}}"#, "frobnicate"),
        (#"{"format":2}"#, "format"), ("", "JSON"), ("[]", "format"), (#"{"format":1,"#, ""),
    ])
    func whatOthersWroteIsNotBelieved(text: String, word: String) throws {
        let error = try #require(throws: StorageError.self) {
            try VolumeDefinition(parsing: Array(text.utf8), in: try Share("nas:/export"))
        }
        #expect(word == "JSON" || error.description.contains(word), "\(error)")
    }

    // MARK: Settings

    @Test func theScopeIsGlobalWithAShare() throws {
        var settings = DaemonSettings().volumes
        #expect(settings.scope == .local)
        settings.share = try Share("nas:/export")
        #expect(settings.scope == .global)
    }
}
