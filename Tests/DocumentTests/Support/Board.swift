// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import TestSupport

/// Grafana's board for docker-nfsd, as far as it can be looked at without Grafana.
struct Board {
    struct Panel {
        var title: String
        var kind: String
        /// Left, top, width and height, in a grid 24 wide.
        var place: (x: Int, y: Int, width: Int, height: Int)
        var expressions: [String]
    }

    let panels: [Panel]
    /// Grafana's own questions for the values of variables.
    let variableQueries: [String]
    let variables: [String]

    init() throws {
        let bytes = Data(try Document("Packaging/grafana/docker-nfsd.json").text.utf8)
        guard let board = try JSONSerialization.jsonObject(with: bytes) as? [String: Any], let list = board["panels"] as? [[String: Any]],
            let templating = (board["templating"] as? [String: Any])?["list"] as? [[String: Any]]
        else { throw Trouble("the board has no panels or no variables") }
        panels = try list.map { panel in
            guard let title = panel["title"] as? String, let kind = panel["type"] as? String, let grid = panel["gridPos"] as? [String: Int],
                let x = grid["x"], let y = grid["y"], let width = grid["w"], let height = grid["h"],
                let targets = panel["targets"] as? [[String: Any]]
            else { throw Trouble("not a panel: \(panel)") }
            let expressions = try targets.map { target in
                guard let expression = target["expr"] as? String else { throw Trouble("\(title): a target without an expression") }
                return expression
            }
            return Panel(title: title, kind: kind, place: (x, y, width, height), expressions: expressions)
        }
        variables = templating.compactMap { $0["name"] as? String }
        variableQueries = templating.compactMap { ($0["query"] as? [String: Any])?["query"] as? String }
    }

    /// As Prometheus gets them when everything is chosen.
    var expressions: [String] {
        panels.flatMap(\.expressions).map {
            $0.replacing("$__rate_interval", with: "1m").replacing("$instance", with: ".*").replacing("$volume", with: ".*")
        }
    }
}
