// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
public import LinuxSystem
public import SystemPackage

/// Where metrics can be read: the value of the setting `metrics`.
public enum MetricsAddress: Sendable, Equatable {
    /// `unix:/run/docker-nfsd/metrics.sock`: for root alone.
    case socket(FilePath)
    /// `127.0.0.1:9323` or `[::1]:9323`: for every user of this host, and nobody else.
    case loopback(LoopbackAddress)

    private static let prefix = "unix:"

    /// - Throws: `StorageError` (`bad-setting`) for any other text.
    init(_ text: String) throws(StorageError) {
        if let address = LoopbackAddress(text) {
            self = .loopback(address)
            return
        }
        let path = text.dropFirst(Self.prefix.count)
        guard text.hasBytePrefix(Self.prefix), path.hasBytePrefix("/"), path.utf8.count <= UnixSocketAddress.longestPath,
            !path.utf8.contains(where: { $0 < 0x20 })
        else {
            throw StorageError(
                .badSetting,
                "neither none, nor unix: and an absolute path of at most \(UnixSocketAddress.longestPath) bytes, nor 127.0.0.1:PORT"
                    + " or [::1]:PORT")
        }
        self = .socket(FilePath(String(path)))
    }
}
