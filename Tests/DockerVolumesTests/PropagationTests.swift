// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import DockerVolumes
@testable import SharedCatalogue
@testable import Volumes

/// A process in a mount namespace of its own stands for the engine.
@Suite(.needs(.root), .timeLimit(.minutes(5))) struct PropagationTests {
    /// A mount that belongs to a peer group, as systemd makes them all.
    private func makeShared(_ place: FilePath) throws {
        try makeFolders(place)
        try #require(mount("tmpfs", place.string, "tmpfs", 0, nil) == 0)
        try #require(mount(nil, place.string, nil, UInt(MS_SHARED), nil) == 0)
    }

    @Test(arguments: [("slave", true), ("shared", true), ("private", false)])
    func tellsWhetherTheEngineSeesOurMounts(propagation: String, sees: Bool) async throws {
        try await withFixture { fixture in
            let place = fixture.settings.mountDirectory
            try makeShared(place)
            try await withUnshared(propagation) { engine in
                let problem = Propagation.problem(mountDirectory: place.string, engines: [engine])
                // That it is right is for the kernel to say.
                try makeFolder(place.appending("v"), mode: 0o700)
                try #require(mount("tmpfs", place.appending("v").string, "tmpfs", 0, nil) == 0)
                #expect(try (MountTable(of: engine).topmost(at: place.appending("v").string) != nil) == sees)
                #expect((problem == nil) == sees)
                if let problem {
                    #expect(problem.contains("dockerd (process \(engine)) runs in another mount namespace"))
                    #expect(problem.contains(place.string))
                    #expect(problem.contains("PrivateMounts"))
                    #expect(!problem.contains("\n"))
                }
            }
        }
    }

    @Test func anEngineInOurNamespaceOrThatHasEndedIsNoProblem() async throws {
        try await withFixture { fixture in
            let place = fixture.settings.mountDirectory
            try makeShared(place)
            #expect(Propagation.problem(mountDirectory: place.string, engines: [getpid(), (1 << 22) + 1]) == nil)
            #expect(Propagation.problem(mountDirectory: place.string, engines: []) == nil)
        }
    }

    /// The folder's own mount counts, not that of the root.
    @Test func aFolderThatIsAMountOfItsOwnIsLookedAtItself() async throws {
        try await withFixture { fixture in
            let place = fixture.settings.mountDirectory
            try makeShared(place)
            try #require(mount(nil, place.string, nil, UInt(MS_PRIVATE), nil) == 0)
            try await withUnshared("slave") { engine in
                #expect(Propagation.problem(mountDirectory: place.appending("below").string, engines: [engine]) != nil)
            }
        }
    }
}
