// SPDX-License-Identifier: AGPL-3.0-or-later

public import JSON

/// The successful answers of the VolumeDriver interface.
public enum VolumeResponse: Sendable, Equatable {
    /// Of Create, Remove and Unmount: `{"Err":""}`.
    case done
    /// Of Mount and Path: `{"Mountpoint":"/path","Err":""}`.
    case mountpoint(String)
    /// Of Get: `{"Volume":{…},"Err":""}`.
    case volume(Volume)
    /// Of List: `{"Volumes":[{…}],"Err":""}`.
    case volumes([Volume])
    /// Of Capabilities: `{"Capabilities":{"Scope":"local"}}`.
    case capabilities(VolumeScope)

    public func write(to writer: inout JSONWriter) {
        writer.beginObject()
        switch self {
        case .done: break
        case .mountpoint(let path):
            writer.key("Mountpoint")
            writer.write(path)
        case .volume(let volume):
            writer.key("Volume")
            volume.write(to: &writer)
        case .volumes(let volumes):
            writer.key("Volumes")
            writer.beginArray()
            for volume in volumes { volume.write(to: &writer) }
            writer.endArray()
        case .capabilities(let scope):
            writer.key("Capabilities")
            writer.beginObject()
            writer.key("Scope")
            writer.write(scope.rawValue)
            writer.endObject()
            writer.endObject()
            return
        }
        writer.key("Err")
        writer.write("")
        writer.endObject()
    }
}

extension Volume {
    /// Leaves out what is nil.
    func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.key("Name")
        writer.write(name)
        writer.key("Mountpoint")
        writer.write(mountpoint)
        if let createdAt {
            writer.key("CreatedAt")
            writer.write(createdAt)
        }
        if let status {
            writer.key("Status")
            writer.write(.object(status))
        }
        writer.endObject()
    }
}
