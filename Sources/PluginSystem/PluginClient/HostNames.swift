// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import SystemPackage

/// Names of hosts without a resolver: a static executable cannot load glibc's (NSS).
struct HostNames {
    /// hosts(5).
    var file = FilePath("/etc/hosts")
    private static let limit = 1 << 20

    /// - Returns: the addresses to try, in this order; empty for a name that is not known here.
    /// - Throws: `SystemError` if the file is there and cannot be read.
    func addresses(of host: String) throws(SystemError) -> [InternetAddress] {
        if let address = InternetAddress(host) { return [address] }
        if Self.isSame(Array(host.utf8), "localhost".utf8) { return ["127.0.0.1", "::1"].compactMap { InternetAddress($0) } }
        let content: [UInt8]
        do throws(SystemError) {
            content = try readWholeFile(file, limit: Self.limit)
        } catch  where error.errno == .noSuchFileOrDirectory {
            return []
        }
        var found: [InternetAddress] = []
        for line in content.split(separator: UInt8(ascii: "\n")) {
            let fields = line.prefix { $0 != UInt8(ascii: "#") }.split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d }
            guard fields.count > 1, fields.dropFirst().contains(where: { Self.isSame($0, host.utf8) }),
                let address = InternetAddress(String(decoding: fields[0], as: UTF8.self)), !found.contains(address)
            else { continue }
            found.append(address)
        }
        return found
    }

    private static func isSame(_ name: some Collection<UInt8>, _ other: some Collection<UInt8>) -> Bool {
        let lower = { (byte: UInt8) in (0x41...0x5a).contains(byte) ? byte + 0x20 : byte }
        return name.count == other.count && name.lazy.map(lower).elementsEqual(other.lazy.map(lower))
    }
}
