// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import LinuxSystem
import Testing

struct ProcessUsageTests {
    @Test func isOfThisProcess() throws {
        let usage = try ProcessUsage()
        #expect((1 << 20...64 << 30).contains(usage.residentMemory), "\(usage)")
        #expect(usage.descriptors >= 3 && usage.descriptors <= usage.descriptorLimit, "\(usage)")
        #expect(usage.processorTime > 0)
        // The clock may be set while this runs, but hardly by a day.
        let start = try #require(ProcessUsage.startTime)
        let age = Date().timeIntervalSince1970 - start
        #expect(age > -1 && age < 86_400, "\(age)")
        let field = try #require(ProcessIdentity(of: getpid())).startTime
        #expect(field > 0)
    }

    @Test func memoryIsInBytes() throws {
        let before = try ProcessUsage().residentMemory
        let size = 64 << 20
        let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 4096)
        defer { memory.deallocate() }
        memset(memory, 1, size)
        // Other tests run meanwhile, and may give some back.
        #expect(try ProcessUsage().residentMemory > before + size / 2)
    }
}
