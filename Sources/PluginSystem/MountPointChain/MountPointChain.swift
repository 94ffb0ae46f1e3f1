// SPDX-License-Identifier: AGPL-3.0-or-later

/// Plugins, in order.
public struct MountPointChain {}
