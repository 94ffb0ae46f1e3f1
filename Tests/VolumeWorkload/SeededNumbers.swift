// SPDX-License-Identifier: AGPL-3.0-or-later

/// The same numbers for the same seed, on every machine.
public struct SeededNumbers: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: Int) { state = UInt64(truncatingIfNeeded: seed) }

    /// SplitMix64 of Steele, Lea and Flood.
    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}

/// For the times of a history.
func microseconds(since start: ContinuousClock.Instant) -> Int {
    let passed = (ContinuousClock.now - start).components
    return Int(passed.seconds) * 1_000_000 + Int(passed.attoseconds / 1_000_000_000_000)
}
