// SPDX-License-Identifier: AGPL-3.0-or-later

import HistoryChecker
import Testing

/// Made-up histories: correct ones pass, and each kind of fault that is planted is found. Times are in seconds here.
struct HistoryCheckerTests {
    /// An operation at node a, or at node b if its client's number is above 10.
    private func operation(
        _ client: Int, _ kind: RecordedOperation.Kind, _ name: String = "", _ value: String? = nil, seen: [String]? = nil, _ began: Double,
        _ ended: Double, _ outcome: RecordedOperation.Outcome = .ok
    ) -> RecordedOperation {
        RecordedOperation(
            client: client, node: client > 10 ? "b" : "a", kind, name, value: value, seen: seen, began: Int(began * 1e6),
            ended: Int(ended * 1e6), outcome)
    }

    private func operation(
        _ client: Int, _ kind: RecordedOperation.Kind, _ name: String, _ began: Double, _ ended: Double,
        _ outcome: RecordedOperation.Outcome = .ok
    ) -> RecordedOperation {
        operation(client, kind, name, nil, began, ended, outcome)
    }

    private func rules(_ operations: [RecordedOperation], _ disturbances: [Disturbance] = []) -> [HistoryChecker.Rule] {
        HistoryChecker().faults(in: History(operations, disturbances: disturbances)).map(\.rule)
    }

    @Test func anEmptyHistoryIsCorrect() { #expect(rules([]) == []) }

    // MARK: Order

    @Test func theFirstCreateWins() {
        #expect(rules([operation(1, .create, "v", "x", 0, 1), operation(11, .create, "v", "y", 2, 3, .fail)]) == [])
        #expect(rules([operation(1, .create, "v", "x", 0, 1), operation(11, .create, "v", "x", 2, 3)]) == [])
        #expect(rules([operation(1, .create, "v", "x", 0, 1), operation(11, .create, "v", "y", 2, 3)]) == [.order])
    }

    @Test func ofTwoCreatesAtOnceEitherMayWinButNotBoth() {
        #expect(rules([operation(1, .create, "v", "x", 0, 2), operation(11, .create, "v", "y", 1, 3, .fail)]) == [])
        #expect(rules([operation(1, .create, "v", "x", 0, 2, .fail), operation(11, .create, "v", "y", 1, 3)]) == [])
        #expect(rules([operation(1, .create, "v", "x", 0, 2), operation(11, .create, "v", "y", 1, 3)]) == [.order])
    }

    @Test func aRefusalNeedsAnotherVolume() {
        #expect(rules([operation(1, .create, "v", "x", 0, 1, .fail)]) == [.order])
        #expect(
            rules([
                operation(1, .create, "v", "x", 0, 1), operation(1, .remove, "v", 2, 3), operation(1, .create, "v", "y", 4, 5, .fail),
            ]) == [.order])
    }

    @Test func whatIsUnknownMayHaveHappenedOrNot() {
        let unknown = operation(1, .create, "v", "x", 0, 1, .unknown)
        #expect(rules([unknown, operation(11, .create, "v", "y", 2, 3)]) == [])
        #expect(rules([unknown, operation(11, .create, "v", "y", 2, 3, .fail)]) == [])
        // It can happen late, too, but only once.
        #expect(
            rules([
                unknown, operation(11, .create, "v", "y", 2, 3, .fail), operation(11, .remove, "v", 4, 5),
                operation(11, .create, "v", "y", 6, 7, .fail),
            ]) == [.order])
    }

    @Test func aRemoveMakesRoomAndATombstoneIsNone() {
        #expect(
            rules([
                operation(1, .create, "v", "x", 0, 1), operation(1, .remove, "v", 2, 3), operation(11, .create, "v", "y", 4, 5),
            ]) == [])
        #expect(
            rules([operation(1, .create, "v", "x", 0, 1), operation(1, .remove, "v", 2, 3), operation(1, .create, "v", "x", 4, 5)]) == [])
    }

    @Test func aNodeThatHasNotHeardMayRemoveWhatItKnows() {
        let operations = [
            operation(1, .create, "v", "x", 0, 1), operation(1, .remove, "v", 2, 3), operation(1, .create, "v", "y", 4, 5),
            operation(11, .remove, "v", 6, 7), operation(1, .create, "v", "z", 8, 9, .fail),
        ]
        #expect(rules(operations) == [])
        // Long after it must have heard, a remove removes.
        var late = operations
        (late[3].began, late[3].ended, late[4].began, late[4].ended) = (60_000_000, 61_000_000, 62_000_000, 63_000_000)
        #expect(rules(late) == [.order])
    }

    @Test func manyClientsAtOnceAreChecked() {
        // Four creates at once of each of two values, then a remove, a hundred times.
        var operations: [RecordedOperation] = []
        for round in 0..<100 {
            let start = Double(round * 10)
            for client in 1...8 {
                operations.append(
                    operation(
                        client, .create, "v", client.isMultiple(of: 2) ? "x" : "y", start, start + 5, client.isMultiple(of: 2) ? .ok : .fail
                    ))
            }
            operations.append(operation(1, .remove, "v", start + 6, start + 7))
        }
        #expect(rules(operations) == [])
        operations[400].outcome = .ok
        operations[401].outcome = .ok
        #expect(rules(operations) == [.order])
    }

    // MARK: Lists

    @Test func anAcknowledgedCreateIsListedAtOnceAtItsNode() {
        let create = operation(1, .create, "v", "x", 0, 1)
        #expect(rules([create, operation(2, .list, seen: ["v"], 1.5, 1.51)]) == [])
        #expect(rules([create, operation(2, .list, seen: [], 1.5, 1.51)]) == [.loss])
        #expect(rules([create, operation(2, .list, seen: [], 0.5, 0.51)]) == [])
        #expect(rules([create, operation(2, .remove, "v", 1.2, 9), operation(2, .list, seen: [], 1.5, 1.51)]) == [])
        #expect(rules([create, operation(3, .remove, "v", 0.2, 0.3, .unknown), operation(2, .list, seen: [], 1.5, 1.51)]) == [])
    }

    @Test func otherNodesKnowItInTime() {
        let create = operation(1, .create, "v", "x", 0, 1)
        #expect(rules([create, operation(11, .list, seen: [], 12, 12.01)]) == [])
        #expect(rules([create, operation(11, .list, seen: [], 14, 14.01)]) == [.loss])
        #expect(rules([create, operation(11, .list, seen: ["v"], 14, 14.01)]) == [])
        let away = Disturbance("the share is away", began: 5_000_000, ended: 6_000_000)
        #expect(rules([create, operation(11, .list, seen: [], 14, 14.01)], [away]) == [])
        #expect(rules([create, operation(11, .list, seen: [], 19, 19.01)], [away]) == [.loss])
        // The node itself needs nobody for it.
        #expect(rules([create, operation(2, .list, seen: [], 14, 14.01)], [away]) == [.loss])
    }

    @Test func whatIsRemovedIsNotListedForEver() {
        let operations = [operation(1, .create, "v", "x", 0, 1), operation(1, .remove, "v", 2, 3)]
        #expect(rules(operations + [operation(11, .list, seen: ["v"], 10, 10.01)]) == [])
        #expect(rules(operations + [operation(11, .list, seen: ["v"], 16, 16.01)]) == [.ghost])
        #expect(
            rules(operations + [operation(2, .create, "v", "x", 15, 17, .unknown), operation(11, .list, seen: ["v"], 16, 16.01)]) == [])
        #expect(rules(operations + [operation(11, .mount, "v", 1.5, 1.6, .unknown), operation(11, .list, seen: ["v"], 16, 16.01)]) == [])
        #expect(rules([operation(1, .create, "v", "x", 20, 21), operation(11, .list, seen: ["v"], 16, 16.01)]) == [.ghost])
    }

    // MARK: Holders

    @Test func aLockHasOneHolder() {
        let first = [operation(1, .acquire, "l", 0, 1), operation(1, .release, "l", 4, 5)]
        #expect(rules(first + [operation(11, .acquire, "l", 2, 4.5), operation(11, .release, "l", 6, 7)]) == [])
        #expect(rules(first + [operation(11, .acquire, "l", 2, 3), operation(11, .release, "l", 6, 7)]) == [.lock])
        #expect(rules(first + [operation(11, .acquire, "l", 2, 3, .unknown)]) == [])
        #expect(rules([operation(1, .acquire, "l", 0, 1), operation(11, .acquire, "l", 2, 3)]) == [.lock])
        #expect(rules([operation(1, .acquire, "l", 0, 1), operation(11, .acquire, "m", 2, 3)]) == [])
    }

    /// Two clients that append under a lock, and what is read in the end.
    private func appended(_ lines: [String], first: RecordedOperation.Outcome = .ok) -> [HistoryChecker.Rule] {
        rules([
            operation(1, .acquire, "l", 0, 1), operation(1, .append, "l", "1-0", 2, 3, first), operation(1, .release, "l", 4, 5),
            operation(11, .acquire, "l", 2, 6), operation(11, .append, "l", "11-0", 7, 8), operation(11, .release, "l", 9, 10),
            operation(3, .read, "l", seen: lines, 11, 12),
        ])
    }

    @Test func anAcknowledgedLineIsThere() {
        #expect(appended(["1-0", "11-0"]) == [])
        #expect(appended(["11-0"]) == [.loss])
        #expect(appended(["1-0"]) == [.loss])
        #expect(appended([]) == [.loss, .loss])
        // Half of a line is none, and is nobody's.
        #expect(appended(["1-", "11-0"]) == [.ghost, .loss])
        // A failure that was told is no loss, whether the line is there or not.
        #expect(appended(["11-0"], first: .unknown) == [])
        #expect(appended(["1-0", "11-0"], first: .unknown) == [])
        #expect(appended(["1-0", "11-0"], first: .fail) == [.ghost])
    }

    @Test func noLineIsThereTwiceOrUnasked() {
        #expect(appended(["1-0", "1-0", "11-0"]) == [.ghost])
        #expect(appended(["1-0", "11-0", "9-9"]) == [.ghost])
        #expect(rules([operation(3, .read, "l", seen: ["1-0"], 0, 1), operation(1, .append, "l", "1-0", 2, 3)]) == [.ghost])
    }

    @Test func linesStandInTheOrderOfTheirAnswers() {
        #expect(appended(["11-0", "1-0"]) == [.order])
        // Nobody knows the order of what happened at the same time.
        let both = [operation(1, .append, "l", "1-0", 0, 3), operation(11, .append, "l", "11-0", 1, 2)]
        #expect(rules(both + [operation(3, .read, "l", seen: ["11-0", "1-0"], 4, 5)]) == [])
        #expect(rules(both + [operation(3, .read, "l", seen: ["1-0", "11-0"], 4, 5)]) == [])
        // The third is behind the first, though the second hides it.
        let three = [operation(1, .append, "l", "a", 0, 1), operation(11, .append, "l", "b", 0, 9), operation(1, .append, "l", "c", 2, 3)]
        #expect(rules(three + [operation(3, .read, "l", seen: ["c", "b", "a"], 10, 11)]) == [.order])
    }

    @Test func whatANodeUsesNoOtherNodeRemoves() {
        let mount = [operation(1, .create, "v", "x", 0, 1), operation(1, .mount, "v", 2, 3), operation(1, .unmount, "v", 8, 9)]
        #expect(rules(mount + [operation(11, .remove, "v", 4, 5)]) == [.use])
        #expect(rules(mount + [operation(11, .remove, "v", 4, 5, .fail)]) == [])
        #expect(rules(mount + [operation(11, .remove, "v", 4, 8.5)]) == [])
        #expect(rules(mount + [operation(11, .remove, "v", 2.5, 5)]) == [])
    }

    // MARK: Time and text

    @Test func anAnswerComesInItsTime() {
        #expect(rules([operation(1, .mount, "v", 0, 101, .fail)]) == [.time])
        #expect(rules([operation(1, .mount, "v", 0, 101, .unknown)]) == [])
        #expect(rules([operation(1, .list, seen: [], 0, 0.06)]) == [.time])
        #expect(rules([operation(1, .list, seen: [], 0, 0.06)], [Disturbance("stopped", began: 0, ended: 20_000)]) == [])
        #expect(rules([operation(1, .remove, "v", 0, 46, .fail)]) == [.time])
    }

    @Test func aHistoryIsReadAsItWasWritten() throws {
        let history = History(
            [
                operation(1, .create, "v\n\"", "x", 0, 1, .fail), operation(11, .list, seen: ["v", ""], 2, 3),
                operation(2, .remove, "v", 0, 9, .unknown),
            ],
            disturbances: [Disturbance("kill", began: 1, ended: 2)])
        #expect(try History(parsing: history.text) == history)
        #expect(throws: History.FormatError.self) { try History(parsing: history.text + "{}\n") }
    }
}
