// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import SystemPackage
import TestSupport
import Testing

@testable import MountPointPlugins

@Suite("What is kept of a transfer")
struct TransferRecordTests {
    private func entry(_ inode: UInt64, _ user: UInt32, mode: UInt32 = 0o644, capability: [UInt8] = [], birth: Int64? = 5) -> JournalEntry {
        JournalEntry(
            path: [0x61, 0x0a, 0xff, 0x2f, 0x62], inode: inode, birth: birth.map { EntryStatus.Time(seconds: $0, nanoseconds: 6) },
            user: user,
            group: user + 1, isFile: true, mode: mode, size: 1 << 40, modified: EntryStatus.Time(seconds: -7, nanoseconds: 999_999_999),
            capability: capability)
    }

    @Test("Records are read as they were written") func coding() {
        let records: [JournalRecord] = [
            .entry(entry(1, 1000)), .entry(entry(.max, 4_294_967_294, capability: [1, 0, 2], birth: nil)),
            .given(inode: 3, changed: EntryStatus.Time(seconds: 1, nanoseconds: 2)), .returning(inode: 4),
        ]
        var bytes: [UInt8] = []
        for record in records { record.write(to: &bytes) }
        var rest = bytes[...]
        var read: [JournalRecord] = []
        while let record = JournalRecord(consuming: &rest) { read.append(record) }
        #expect(read == records && rest.isEmpty)
        for count in 0..<bytes.count {
            var rest = bytes[..<count]
            while JournalRecord(consuming: &rest) != nil {}
        }
    }

    @Test("A batch that was cut off or damaged counts for nothing, and is overwritten") func cutOff() async throws {
        try await withScratchFolder { folder in
            let path = folder.appending("journal")
            func write(_ inode: UInt64) throws {
                let journal = try TransferJournal(path)
                journal.add(.entry(entry(inode, 1000)))
                try journal.commit()
            }
            try write(1)
            let first = try readWholeFile(path, limit: 1 << 20)
            try write(2)
            let whole = try readWholeFile(path, limit: 1 << 20)
            #expect(try Set(TransferJournal(path).index.owners.keys) == [1, 2])
            for count in first.count..<whole.count {
                try replaceFile(path, with: Array(whole[..<count]))
                #expect(try Set(TransferJournal(path).index.owners.keys) == [1])
                try write(3)
                #expect(try Set(TransferJournal(path).index.owners.keys) == [1, 3])
            }
            var damaged = whole
            damaged[first.count + 20] ^= 1
            try replaceFile(path, with: damaged)
            #expect(try Set(TransferJournal(path).index.owners.keys) == [1])
        }
    }

    @Test("Entries of any length are read again, and a file of another version is left as it is") func longest() async throws {
        try await withScratchFolder { folder in
            let path = folder.appending("journal")
            let journal = try TransferJournal(path)
            var entries = JournalEntries()
            for inode in 1...2500 as ClosedRange<UInt64> {
                var entry = entry(inode, 1000)
                entry.path = [UInt8](repeating: 0x61, count: 10_000)
                entries.add(entry, isNew: true)
            }
            try journal.add(entries)
            #expect(journal.pendingSize > 25_000_000 && journal.index.isEmpty)
            try journal.commit()
            #expect(journal.pendingSize == 0)
            #expect(try TransferJournal(path).index.owners.count == 2500)
            let other = Array("OWN9 and more".utf8)
            try replaceFile(path, with: other)
            #expect(throws: SystemError.self) { _ = try TransferJournal(path) }
            #expect(try readWholeFile(path, limit: 100) == other)
        }
    }

    @Test("Of one file the first entry counts, of another file with its inode the last") func index() async throws {
        try await withScratchFolder { folder in
            let journal = try TransferJournal(folder.appending("journal"))
            journal.add(.entry(entry(1, 1000, mode: 0o4755)))
            journal.add(.entry(entry(1, 33)))
            let birth = EntryStatus.Time(seconds: 5, nanoseconds: 6)
            #expect(journal.index.owner(of: 1, birth: birth)?.user == 1000 && journal.index.specials[1]?.mode == 0o4755)
            #expect(journal.index.owner(of: 1, birth: nil) == nil && journal.index.owner(of: 2, birth: birth) == nil)
            journal.add(.entry(entry(1, 44, birth: 9)))
            #expect(journal.index.owner(of: 1, birth: birth) == nil && journal.index.specials[1] == nil)
        }
    }

    @Test("Ranges lead there and back") func ranges() {
        let ranges = IDRanges(
            users: [IDRange(inside: 1000, outside: 33, count: 1), IDRange(inside: 5, outside: 500, count: 10)],
            groups: [IDRange(inside: 7, outside: 7, count: 1)])
        #expect(ranges.given(FileOwner(user: 1000, group: 7)) == FileOwner(user: 33, group: 7))
        #expect(ranges.given(FileOwner(user: 14, group: 1)) == FileOwner(user: 509, group: 1))
        #expect(ranges.given(FileOwner(user: 15, group: 1)) == FileOwner(user: 15, group: 1))
        #expect(ranges.returned(FileOwner(user: 509, group: 7)) == FileOwner(user: 14, group: 7))
        #expect(ranges.changing.groups.isEmpty && ranges.changing.users == ranges.users)
    }

    private func transfer(_ path: String, _ to: UInt32 = 33, isGiven: Bool = true, device: String = "8:1") -> KeptTransfer {
        KeptTransfer(
            source: path, place: path, location: TreeLocation(device: device, path: path), inode: 1, isFolder: true,
            owner: FileOwner(user: 1000, group: 1000), ranges: IDRanges(users: [IDRange(inside: 1000, outside: to, count: 1)], groups: []),
            isGiven: isGiven, since: EntryStatus.Time(seconds: 0, nanoseconds: 0), boot: "b", excluded: [],
            holders: [KeptTransfer.Holder(key: "c.0", id: "c", name: "web")])
    }

    @Test("Who may have a tree beside whom") func decisions() {
        let others = [(1, transfer("/a")), (2, transfer("/b/c")), (3, transfer("/e", isGiven: false))]
        func decide(_ wanted: KeptTransfer) -> TransferDecision {
            TransferDecision(wanted, among: others.map { (number: $0.0, transfer: $0.1) })
        }
        #expect(decide(transfer("/a")) == .join([1]))
        #expect(decide(transfer("/a/x")) == .join([1]))
        #expect(decide(transfer("/a/x", 44)) == .deny(1))
        #expect(decide(transfer("/a", device: "8:2")) == .begin(holding: []))
        #expect(decide(transfer("/ax")) == .begin(holding: []))
        #expect(decide(transfer("/b")) == .begin(holding: [2]))
        #expect(decide(transfer("/b", 44)) == .deny(2))
        #expect(decide(transfer("/b", isGiven: false)) == .deny(2))
        #expect(decide(transfer("/e", isGiven: false)) == .join([3]))
        #expect(decide(transfer("/e", 44, isGiven: false)) == .begin(holding: []))
        #expect(decide(transfer("/e")) == .deny(3))
        var left = transfer("/a")
        left.isReturning = true
        #expect(TransferDecision(transfer("/a", 44), among: [(number: 4, transfer: left)]) == .finish(4))
    }

    @Test("A chain of folders, however deep, is let go on the small stack of a thread") func deepChain() async throws {
        let depth = try await BlockingThread.run(named: "deep") {
            var folder = TreeFolder(nil, in: nil, inode: 0)
            for inode in 1...100_000 { folder = TreeFolder(EntryName("d"), in: folder, inode: UInt64(inode)) }
            return folder.path.count
        }
        #expect(depth == 100_000)
    }
}
