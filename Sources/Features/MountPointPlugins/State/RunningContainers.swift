// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import SystemPackage

/// Which containers mountpoint-runc is responsible for: each has a folder `containers/ROOT/ID` from before its plugins are asked until
/// they have all been asked to detach.
struct RunningContainers: Sendable {
    private let folder: FilePath

    init(of places: PluginPlaces) { folder = places.runtime.appending("containers") }

    /// - Returns: the ids; nil if that cannot be told, as without the right to look.
    func ids() -> [String]? {
        do throws(SystemError) {
            var ids: [String] = []
            for root in try namesInFolder(folder) {
                do throws(SystemError) {
                    ids += try namesInFolder(folder.appending(root))
                } catch {
                    if error.errno != .noSuchFileOrDirectory { return nil }
                }
            }
            return ids
        } catch {
            return error.errno == .noSuchFileOrDirectory ? [] : nil
        }
    }
}
