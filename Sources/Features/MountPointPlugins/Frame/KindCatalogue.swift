// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI

/// The kinds of plugins that there are.
public enum KindCatalogue {
    /// In the order of `list`.
    public static let all: [any PluginKind.Type] = [
        CopyOnWriteKind.self, NoSwapKind.self, OwnershipKind.self, PolicyKind.self, TranslateKind.self,
    ]

    /// - Throws: `PluginError` that says which there are.
    public static func kind(named name: String) throws(PluginError) -> any PluginKind.Type {
        if let kind = all.first(where: { $0.information.name.utf8.elementsEqual(name.utf8) }) { return kind }
        let names = all.map { $0.information.name }.joined(separator: ", ")
        throw PluginError("there is no kind of plugin named \(name); there are \(names)")
    }

    /// As `list` shows them.
    public static var text: String {
        let width = all.map { $0.information.name.utf8.count }.max() ?? 0
        return all.map { kind in
            let name = kind.information.name
            return name + String(repeating: " ", count: width - name.utf8.count + 2) + kind.information.summary + "\n"
        }.joined()
    }
}
