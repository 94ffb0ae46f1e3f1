// SPDX-License-Identifier: AGPL-3.0-or-later

public import JSON

/// What a host does in a plugin's place if it cannot have the plugin detach a mount.
///
/// An object with one member, such as `{"Unmount":"/path"}`; Go's library sends an empty `Error` besides. Of an object with
/// several, each becomes an action of its own, in the order Warning, Unmount, Remove, Error, Fatal: what is to be done before
/// what may end it.
public enum EmergencyAction: Sendable, Equatable {
    /// `{}`: there is nothing to do, and that is fine. A list with only this in it is not an empty list.
    case nothing
    /// Text for the log.
    case warning(String)
    /// The container has failed, with this text; unwinding goes on.
    case error(String)
    /// The container has failed, with this text; unwinding stops.
    case fatal(String)
    /// The path of a file or an empty directory that is to be removed.
    case remove(String)
    /// The path of a mount that is to be unmounted.
    case unmount(String)
}

extension EmergencyAction {
    private var member: (key: String, text: String) {
        switch self {
        case .nothing: ("", "")
        case .warning(let text): ("Warning", text)
        case .error(let text): ("Error", text)
        case .fatal(let text): ("Fatal", text)
        case .remove(let path): ("Remove", path)
        case .unmount(let path): ("Unmount", path)
        }
    }

    /// The actions of one object.
    static func actions(_ object: JSONObjectReader) throws(JSONShapeError) -> [EmergencyAction] {
        let actions = [
            EmergencyAction.warning(try object.text("Warning")), .unmount(try object.text("Unmount")),
            .remove(try object.text("Remove")), .error(try object.text("Error")), .fatal(try object.text("Fatal")),
        ].filter { !$0.member.text.isEmpty }
        if !actions.isEmpty { return actions }
        // A plugin that means something by an action that is not known here would not get it.
        let known = ["warning", "unmount", "remove", "error", "fatal"]
        for member in object.members.members
        where !member.value.isNull && !known.contains(where: { $0.utf8.elementsEqual(member.key.lowercased().utf8) }) {
            throw object.error("is no action that is known here; there are Warning, Error, Fatal, Remove and Unmount", at: member.key)
        }
        return [.nothing]
    }

    /// Reads a list of actions, such as ``write(_:to:)`` writes it; nil if there is none.
    public static func listIfPresent(_ key: String, in object: JSONObjectReader) throws(JSONShapeError) -> [EmergencyAction]? {
        try object.listIfPresent(key, of: actions)?.flatMap { $0 }
    }

    public static func write(_ actions: [EmergencyAction], to writer: inout JSONWriter) {
        writer.beginArray()
        for action in actions {
            let (key, text) = action.member
            writer.beginObject()
            if !key.isEmpty {
                writer.key(key)
                writer.write(text)
            }
            writer.endObject()
        }
        writer.endArray()
    }
}

/// What a plugin says of one mount that it was asked about.
public struct Attachment: Sendable, Equatable {
    /// Whether the plugin takes part in this mount and wants to be asked to detach.
    public var attach: Bool
    /// In the order in which they are to be carried out.
    public var emergencyDetach: [EmergencyAction]
    /// Count only if ``attach`` is true.
    public var changes: MountPointChanges

    public init(attach: Bool, emergencyDetach: [EmergencyAction] = [], changes: MountPointChanges = MountPointChanges()) {
        self.attach = attach
        self.emergencyDetach = emergencyDetach
        self.changes = changes
    }

    init(_ object: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            attach: try object.flag("Attach"),
            emergencyDetach: try EmergencyAction.listIfPresent("EmergencyDetach", in: object) ?? [],
            changes: try MountPointChanges(object.object("Changes")))
    }

    func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.write("Attach", attach)
        if !emergencyDetach.isEmpty {
            writer.key("EmergencyDetach")
            EmergencyAction.write(emergencyDetach, to: &writer)
        }
        if changes != MountPointChanges() { changes.write("Changes", to: &writer) }
        writer.endObject()
    }
}
