// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import JSON
import TestSupport
import Testing

/// What shows how servers and volumes are, against what has been done with them.
extension MachineTests.ServerFaults {
    private static let megabytes = 8

    private func part(_ name: String, of output: String) -> String {
        let parts = output.components(separatedBy: "== \(name)\n")
        return parts.count < 2 ? "" : String(parts[1].components(separatedBy: "== ")[0])
    }

    @Test("status, top, docker volume inspect, the log and the metrics tell what has happened: traffic, times, an outage and its end")
    func healthIsTold() async throws {
        let output = try await Guest.expect(
            FarServer.words + #"""
                echo '{"metrics": "unix:/run/docker-nfsd/metrics.sock"}' > /etc/docker/docker-nfsd.json; systemctl restart docker-nfsd
                rm -rf /exports/far/*; server=10.77.0.2 path=/exports/far volume --opt o=hard,timeo=20,retrans=1,nosharecache seen > /dev/null
                docker run -d --name waiter -v seen:/m:nocopy alpine sleep 1000 > /dev/null
                metrics() { printf 'GET /metrics HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n' | socat -t 20 STDIO,ignoreeof UNIX-CONNECT:/run/docker-nfsd/metrics.sock | grep -E 'seen|10.77.0.2' || true; }
                inspect() { docker volume inspect -f '{{json .Status}}' seen; }
                knows() { inspect | grep -q "$1"; }
                all_read() { [ "$(inspect | grep -oE '"bytesRead":[0-9]+' | tr -dc 0-9)" -ge $((8 << 20)) ] 2> /dev/null; }
                logged() { journalctl -q -u docker-nfsd --since "$since" -o cat; }
                since=$(date '+%Y-%m-%d %H:%M:%S')
                docker-nfsd top --interval 1 --count 60 > /tmp/top & top=$!; until_true 20 test -s /tmp/top
                dd if=/dev/urandom of=$at/seen/file bs=1M count=8 conv=fsync 2> /dev/null; echo 3 > /proc/sys/vm/drop_caches; cat $at/seen/file > /dev/null
                until_true 20 grep -qE '^seen +10.77.0.2 +mounted +[0-9.]+ +[0-9.]+ [KM]iB' /tmp/top; kill $top; echo "== top"; cat /tmp/top
                until_true 40 knows '"usage"'; until_true 40 all_read
                echo "== inspect"; inspect; echo "== status"; docker-nfsd status; echo "== metrics"; metrics
                echo "== disk"; df -B1 --output=size /exports/far | tail -n 1
                echo "== died"; date -u '+%Y-%m-%dT%H:%M:%SZ'; far iptables -I INPUT -j DROP; (echo late > $at/seen/late) & writer=$!
                took away until_true 60 knows '"server":"away"'
                echo "== inspect away"; inspect; echo "== status away"; docker-nfsd status; echo "== metrics away"; metrics
                echo "== top away"; docker-nfsd top --interval 1 --count 1
                counted() { metrics | grep -qE "^docker_nfsd_nfs_$1_total.* [1-9]"; }
                until_true 60 counted major_timeouts
                echo "== mended"; mend; took back until_true 60 knows '"server":"answers"'; wait $writer; cat /exports/far/late
                until_true 20 counted retransmissions
                echo "== inspect back"; inspect; echo "== metrics back"; metrics; echo "== log"; logged
                echo "== end"; docker rm -f waiter > /dev/null; docker volume rm seen > /dev/null
                rm /etc/docker/docker-nfsd.json; systemctl restart docker-nfsd; mounts || true
                """#, limit: 240)
        #expect(output.hasSuffix("== end\n0\n") && output.contains("\nlate\n"), "\(output)")
        try expectTraffic(output)
        try expectOutage(output)
    }

    private func status(_ name: String, in output: String) throws -> JSONValue {
        try JSONValue(parsing: part(name, of: output))
    }

    /// - Returns: the value of a metric's series of the volume or server.
    private func metric(_ name: String, in page: String) -> Double? {
        page.split(separator: "\n").first { $0.hasPrefix("docker_nfsd_\(name){") }?.split(separator: " ").last.flatMap { Double($0) }
    }

    private func expectTraffic(_ output: String) throws {
        let bytes = Self.megabytes << 20
        let seen = try status("inspect", in: output)
        for counter in ["bytesRead", "bytesWritten"] {
            let count = try #require(seen["activity"]?[counter]?.intValue, "\(seen)")
            #expect(count >= bytes && count < 2 * bytes, "\(counter): \(count)")
        }
        #expect(seen["activity"]?["averageReadMilliseconds"] != nil && seen["activity"]?["averageWriteMilliseconds"] != nil, "\(seen)")
        let disk = try #require(Int(part("disk", of: output).trimmingCharacters(in: .whitespacesAndNewlines)))
        // The server tells its room in blocks of up to 1 MiB.
        let size = try #require(seen["usage"]?["size"]?.intValue, "\(seen)")
        #expect(abs(size - disk) <= 1 << 20 && seen["health"]?["server"]?.stringValue == "answers", "\(seen)")
        let page = part("metrics", of: output)
        for name in ["nfs_read_bytes_total", "nfs_written_bytes_total"] {
            let count = try #require(metric(name, in: page), "\(name) in \(page)")
            #expect(count >= Double(bytes) && count < Double(2 * bytes), "\(name): \(count)")
        }
        // Of 256 KiB each at most.
        for name in ["nfs_reads_total", "nfs_writes_total"] { #expect((metric(name, in: page) ?? 0) >= 32, "\(name) in \(page)") }
        for name in ["nfs_read_seconds_total", "nfs_write_seconds_total"] {
            #expect((metric(name, in: page) ?? 0) > 0, "\(name) in \(page)")
        }
        #expect((metric("nfs_operations_total", in: page) ?? 0) >= 64 && metric("server_up", in: page) == 1, "\(page)")
        let text = part("status", of: output)
        #expect(text.contains("MiB read, ") && text.contains("MiB written, ") && text.contains("held by    container waiter"), "\(text)")
        let top = part("top", of: output)
        // Bytes written, and in a later table bytes read.
        #expect(top.contains(/(?m)^seen +10\.77\.0\.2 +mounted +[0-9.]+ +[0-9.]+ [KMi]*B +[0-9.]+ [KM]iB .*$/), "\(top)")
        #expect(top.contains(/(?m)^seen +10\.77\.0\.2 +mounted +[0-9.]+ +[0-9.]+ [KM]iB .*$/), "\(top)")
    }

    private func expectOutage(_ output: String) throws {
        let died = part("died", of: output).prefix(20)
        let away = try #require(try status("inspect away", in: output)["health"])
        let since = try #require(away["since"]?.stringValue, "\(away)")
        #expect(died <= since && away["code"]?.stringValue == "silent" && away["reason"] != nil, "\(away), died at \(died)")
        // It is looked after each 10 s, and a look takes 5 s when nobody answers.
        #expect((0..<25_000).contains(Guest.number("away", in: output)), "\(output)")
        #expect((0..<25_000).contains(Guest.number("back", in: output)), "\(output)")
        let waiting = "server 10.77.0.2 has not answered since \(since); volumes that wait: seen; containers: waiter\n"
        #expect(part("status away", of: output).contains(waiting), "\(part("status away", of: output))")
        #expect(part("top away", of: output).contains(/(?m)^seen +10\.77\.0\.2 +away\b/))
        let page = part("metrics away", of: output)
        #expect(metric("server_up", in: page) == 0 && metric("server_outage_seconds", in: page) != nil, "\(page)")
        #expect(page.contains(#"docker_nfsd_server_failure{server="10.77.0.2",code="silent"} 1"#), "\(page)")
        #expect((metric("nfs_retransmissions_total", in: part("metrics back", of: output)) ?? 0) > 0, "\(output)")
        #expect(metric("server_up", in: part("metrics back", of: output)) == 1)
        let log = part("log", of: output)
        #expect(log.contains("server 10.77.0.2 does not answer (silent)"), "\(log)")
        #expect(log.contains("server 10.77.0.2 has not answered since \(since); these volumes wait: seen"), "\(log)")
        #expect(log.contains("server 10.77.0.2 answers again; it had not since \(since), for "), "\(log)")
        #expect(log.contains("server 10.77.0.2 answers again; these volumes go on: seen"), "\(log)")
        print(
            "health: an outage is known after \(Guest.number("away", in: output)) ms, and its end after \(Guest.number("back", in: output)) ms"
        )
    }
}
