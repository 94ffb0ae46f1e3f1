// SPDX-License-Identifier: AGPL-3.0-or-later

/// Where a plugin answers.
public struct PluginEndpoint {}
