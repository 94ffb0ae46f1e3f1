// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import Testing

struct SubdirectoryTests {
    @Test(arguments: [
        ("a", "a"), ("/a", "a"), ("a/b/c", "a/b/c"), ("//a///b/", "a/b"), ("./a/./b", "a/b"), ("...", "..."), ("..a/b..", "..a/b.."),
        (".a", ".a"),
        ("a b/ä", "a b/ä"), ("a/\u{301}b", "a/\u{301}b"),
    ])
    func pathsInsideTheExport(text: String, path: String) throws {
        #expect(try Subdirectory(text).path == path)
    }

    @Test(arguments: [
        ("..", ".."), ("a/..", ".."), ("../a", ".."), ("a/../../b", ".."), ("/..", ".."), ("./..//", ".."), ("", "names no directory"),
        ("/", "names no directory"),
        ("./.", "names no directory"), ("a\0b", "control character"), ("a\nb", "control character"), ("\u{7f}", "control character"),
        // An accent makes the slash another character to Swift, not to the kernel.
        ("a/../\u{301}", ".. in it"),
    ])
    func pathsThatAreNot(text: String, word: String) {
        let error = #expect(throws: StorageError.self) { try Subdirectory(text) }
        #expect(error?.description.contains(word) == true)
        #expect(error?.description.hasPrefix("option subdir ") == true)
    }

    @Test func namesAndDepthHaveLimits() throws {
        #expect(try Subdirectory(String(repeating: "a", count: 255)).components.count == 1)
        #expect(throws: StorageError.self) { try Subdirectory(String(repeating: "a", count: 256)) }
        #expect(throws: StorageError.self) { try Subdirectory(String(repeating: "ä", count: 128)) }
        #expect(try Subdirectory(String(repeating: "a/", count: 24)).components.count == 24)
        #expect(throws: StorageError.self) { try Subdirectory(String(repeating: "a/", count: 25)) }
    }
}
