// SPDX-License-Identifier: AGPL-3.0-or-later

import OCIRuntime
import Testing

@Suite struct ContainerIDTests {
    @Test(arguments: ["a", "0123456789abcdef", "A_b-c.d+e", "...", "-x", "_", String(repeating: "a", count: 255)])
    func acceptsWhatRuncAccepts(text: String) throws {
        #expect(try ContainerID(text).text == text)
    }

    @Test(arguments: [
        ("", "a container id must not be empty"), (".", "the container id must not be ., which names a folder"),
        ("..", "the container id must not be .., which names a folder"),
        ("a/b", #"the container id "a/b" must have only ASCII letters, digits and the characters _ + - . in it"#),
        ("a\n\u{1B}[2J", #"the container id "a\n\u001b[2J" must have only ASCII letters, digits and the characters _ + - . in it"#),
        ("é", nil), ("a b", nil), ("a\0b", nil), ("a,b", nil), ("a\u{301}", nil), ("../x", nil), ("/", nil), ("\u{FF41}", nil),
        (String(repeating: "a", count: 256), "the container id is 256 bytes long, and 255 is the most"),
    ])
    func refusesTheRest(text: String, message: String?) {
        let error = #expect(throws: ContainerIDError.self) { try ContainerID(text) }
        if let message { #expect(error?.description == message) }
    }
}
