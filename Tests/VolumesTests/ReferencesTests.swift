// SPDX-License-Identifier: AGPL-3.0-or-later

import JSON
import KernelMount
import Testing

@testable import Volumes

struct ReferencesTests {
    /// `docker cp` on a running container mounts and unmounts with the container's own ID.
    @Test func oneIDMayHoldSeveralTimes() {
        var references = References()
        references.retain("a", activation: 0, now: 1)
        references.retain("a", activation: 0, now: 2)
        references.retain("b", activation: 0, now: 3)
        #expect(references.total == 3)
        let first = references.release("a")
        #expect(first)
        #expect(references.total == 2)
        #expect(!references.isEmpty)
        let second = references.release("a")
        let third = references.release("a")
        #expect(second && !third)
        let last = references.release("b")
        #expect(last)
        #expect(references.isEmpty)
        #expect(references.total == 0)
    }

    @Test func releasingWhatIsNotHeldChangesNothing() {
        var references = References()
        references.retain("a", activation: 0, now: 1)
        let before = references
        let released = references.release("b")
        #expect(!released)
        #expect(references == before)
    }

    @Test func allThatAnIDHoldsCanBeForgotten() {
        var references = References()
        for id in ["a", "a", "b"] { references.retain(id, activation: 0, now: 1) }
        #expect(references.isHeld(by: "a") && references.isHeld(by: "b") && !references.isHeld(by: "c"))
        references.releaseAll(of: "a")
        references.releaseAll(of: "c")
        #expect(!references.isHeld(by: "a"))
        #expect(references.total == 1)
    }

    /// A copy out of a container has the container's ID.
    @Test func whatIsTakenBackIsTheOneWithoutAnAnswer() throws {
        var references = References()
        references.retain("a", activation: 1, now: 7)
        references.retain("a", activation: 1, now: 8)
        references.markUnanswered("a")
        let isHeld = references.release("a", wasAnswered: false)
        let after = try References(parsing: references.json(boot: "this").encoded(), boot: "this")
        #expect(isHeld && after?.total == 1 && after?.hasOrphans() == false)
    }

    @Test func anAnswerThatNobodyWaitsForChangesNothing() {
        var references = References()
        references.retain("a", activation: 1, now: 7)
        let before = references
        references.markAnswered("a")
        references.markAnswered("b")
        #expect(references == before)
    }

    @Test func theLatestWithoutAnAnswerIsNotTheLatestOfAll() throws {
        var references = References()
        references.retain("a", activation: 1, now: 7)
        references.markUnanswered("a")
        references.retain("b", activation: 1, now: 9)
        let after = try References(parsing: references.json(boot: "this").encoded(), boot: "this")
        #expect(after?.orphansSince == 7)
    }

    @Test func whatWasNotAnsweredIsKnownAfterARestart() throws {
        var references = References()
        for id in ["a", "a", "b", "c"] { references.retain(id, activation: 0, now: 7) }
        for id in ["a", "b"] { references.markUnanswered(id) }
        references.markAnswered("b")
        references.markAnswered("c")
        #expect(!references.hasOrphans())
        let bytes = references.json(boot: "this").encoded()
        var after = try #require(try References(parsing: bytes, boot: "this"))
        #expect(after.total == 4 && after.hasOrphans(of: "a") && !after.hasOrphans(of: "b") && after.orphansSince == 7)
        // Twice restarted is the same.
        #expect(try References(parsing: after.json(boot: "this").encoded(), boot: "this") == after)
        var kept = after
        kept.keepOrphans()
        #expect(kept.total == 4 && !kept.hasOrphans())
        // Who releases has got an answer.
        var released = after
        let isHeld = released.release("a")
        #expect(isHeld && released.hasOrphans(of: "a") && released.total == 3)
        released.dropOrphans(of: "a")
        #expect(!released.isHeld(by: "a") && released.total == 2)
        after.dropOrphans(of: "b")
        #expect(after.total == 4)
        after.dropOrphans()
        #expect(after.total == 3 && after.isHeld(by: "a") && !after.hasOrphans())
    }

    @Test(arguments: ["-1", "2", "9223372036854775807", "\"x\""]) func aCountWithoutAnswerIsNeverMoreThanAll(text: String) throws {
        let file = #"{"boot":"this","holders":{"a":{"count":1,"engine":0,"since":0,"unanswered":"# + text + "}}}"
        var references = try #require(try References(parsing: Array(file.utf8), boot: "this"))
        references.dropOrphans()
        #expect(references.total == 0 || references.total == 1)
    }

    @Test func thereIsRoomForSoManyHoldersAndNoMore() throws {
        var references = References()
        for number in 0..<References.mostHolders {
            #expect(references.hasRoom(for: "\(number)"))
            references.retain("\(number)", activation: 0, now: 1)
        }
        #expect(references.hasRoom(for: "7"))
        #expect(!references.hasRoom(for: "one more"))
    }

    @Test func leftOverIsWhatAnEarlierEngineTookLongAgo() {
        var references = References()
        #expect(!references.areLeftOver(activation: 9, takenBefore: 9))
        references.retain("a", activation: 1, now: 100)
        #expect(references.areLeftOver(activation: 2, takenBefore: 101))
        // The same engine, or too young.
        #expect(!references.areLeftOver(activation: 1, takenBefore: 101))
        #expect(!references.areLeftOver(activation: 2, takenBefore: 100))
        // One that is in use speaks for all.
        references.retain("b", activation: 2, now: 200)
        #expect(!references.areLeftOver(activation: 2, takenBefore: 1000))
    }

    /// The engine that came back mounts its containers' volumes anew, with the same IDs.
    @Test func takingAnIDAgainMakesItYoung() {
        var references = References()
        references.retain("a", activation: 1, now: 100)
        references.retain("a", activation: 2, now: 500)
        #expect(!references.areLeftOver(activation: 2, takenBefore: 1000))
        #expect(!references.areLeftOver(activation: 3, takenBefore: 500))
        #expect(references.areLeftOver(activation: 3, takenBefore: 501))
    }

    @Test func areReadBackWithinTheSameBootOnly() throws {
        var references = References()
        references.retain("a\"b", activation: 3, now: 100)
        references.retain("a\"b", activation: 3, now: 101)
        references.retain("", activation: 0, now: -5)
        let bytes = references.json(boot: "this").encoded()
        #expect(try References(parsing: bytes, boot: "this") == references)
        #expect(try References(parsing: bytes, boot: "another") == nil)
    }

    @Test func aPartIsDamaged() throws {
        var references = References()
        references.retain("abc", activation: 3, now: 100)
        let whole = references.json(boot: "this").encoded()
        for count in 0..<whole.count {
            #expect(throws: StorageError.self) { try References(parsing: Array(whole.prefix(count)), boot: "this") }
        }
    }

    @Test(arguments: [
        "null", "{}", #"{"boot":"this"}"#, #"{"boot":7,"holders":{}}"#, #"{"boot":"this","holders":[]}"#,
        #"{"boot":"this","holders":{"a":{}}}"#,
        #"{"boot":"this","holders":{"a":{"count":0,"engine":0,"since":0}}}"#,
        #"{"boot":"this","holders":{"a":{"count":-1,"engine":0,"since":0}}}"#,
        #"{"boot":"this","holders":{"a":{"count":1.5,"engine":0,"since":0}}}"#,
        #"{"boot":"this","holders":{"a":{"count":1,"engine":"0","since":0}}}"#,
        // The sum of two such would overflow.
        #"{"boot":"this","holders":{"a":{"count":9223372036854775807,"engine":0,"since":0},"b":{"count":1,"engine":0,"since":0}}}"#,
    ])
    func countsThatCannotBeAreDamage(text: String) {
        #expect(throws: StorageError.self) { try References(parsing: Array(text.utf8), boot: "this") }
    }

    @Test func whatIsOnAMountThatWasReplacedIsKnownAlsoAfterARestart() throws {
        var references = References()
        references.retain("a", activation: 1, now: 10)
        references.retain("b", activation: 1, now: 10)
        references.markOutdated()
        references.retain("c", activation: 1, now: 20)
        // A copy out of a running container changes nothing of what that has.
        references.retain("a", activation: 1, now: 20)
        _ = references.release("a")
        let read = try #require(try References(parsing: references.json(boot: "x").encoded(), boot: "x"))
        #expect(read == references)
        #expect(read.holders.filter(\.value.isOutdated).keys.sorted() == ["a", "b"])
        // A container that starts again has the new one.
        _ = references.release("a")
        references.retain("a", activation: 1, now: 30)
        #expect(references.holders["a"]?.isOutdated == false)
    }
}
