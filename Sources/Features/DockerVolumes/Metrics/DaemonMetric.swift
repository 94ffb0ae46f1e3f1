// SPDX-License-Identifier: AGPL-3.0-or-later

package import PrometheusMetrics

/// The metrics of docker-nfsd. `Docs/metrics.md` has the same list.
package enum DaemonMetric {
    // MARK: Counted as it happens

    static let calls = MetricDescription(
        "docker_nfsd_calls_total", .counter, "Calls of engines that were answered, by the kind of call and of result.",
        labels: ["call", "code"])
    static let callDuration = MetricDescription(
        "docker_nfsd_call_duration_seconds", .histogram, "Time from the arrival of a call to its answer.", labels: ["call"],
        // Finest about what is answered from memory, and with Docker's own limits of 60 and 120 s in sight.
        buckets: [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 45, 60, 100])
    static let callsInFlight = MetricDescription(
        "docker_nfsd_calls_in_flight", .gauge, "Calls that wait for their turn or for a server.", labels: ["call"])

    // MARK: Looked up at each scrape

    static let volumes = MetricDescription("docker_nfsd_volumes", .gauge, "Volumes that are defined.")
    static let mountedVolumes = MetricDescription("docker_nfsd_mounted_volumes", .gauge, "Volumes that are mounted.")
    static let busyVolumes = MetricDescription(
        "docker_nfsd_busy_volumes", .gauge, "Volumes that cannot be used because the kernel holds a process at their mount point.")
    static let references = MetricDescription("docker_nfsd_references", .gauge, "Uses of volumes by containers.")
    static let volumesLeftOut = MetricDescription(
        "docker_nfsd_volumes_left_out", .gauge, "Volumes that have no series of their own because there are too many.")
    static let volumeInfo = MetricDescription(
        "docker_nfsd_volume_info", .gauge, "Always 1; the labels say what a volume is.", labels: ["volume", "driver", "server", "source"])
    static let volumeMounted = MetricDescription(
        "docker_nfsd_volume_mounted", .gauge, "Whether the volume is mounted.", labels: ["volume"])
    static let volumeReferences = MetricDescription(
        "docker_nfsd_volume_references", .gauge, "Uses of the volume by containers.", labels: ["volume"])
    static let volumeBusy = MetricDescription(
        "docker_nfsd_volume_busy", .gauge, "Whether the volume cannot be used because the kernel holds a process there.",
        labels: ["volume"])
    static let volumeMountFailed = MetricDescription(
        "docker_nfsd_volume_mount_failed", .gauge, "Always 1; the last attempt to mount the volume has failed with this code.",
        labels: ["volume", "code"])

    // A server that nothing is known of has no series.
    static let serverUp = MetricDescription(
        "docker_nfsd_server_up", .gauge, "Whether the server answers, as far as is known.", labels: ["server"])
    static let serverOutage = MetricDescription(
        "docker_nfsd_server_outage_seconds", .gauge, "For how long the server has not answered; 0 while it answers.", labels: ["server"])
    static let serverFailure = MetricDescription(
        "docker_nfsd_server_failure", .gauge, "Always 1; the server does not answer, with this code.", labels: ["server", "code"])

    // By the kernel, for each volume that is mounted. Volumes that share a superblock have the same figures.
    static let operations = activity("docker_nfsd_nfs_operations_total", "Calls to the server that have ended, of every kind.")
    static let readBytes = activity("docker_nfsd_nfs_read_bytes_total", "Bytes that came from the server.")
    static let writtenBytes = activity("docker_nfsd_nfs_written_bytes_total", "Bytes that went to the server.")
    static let reads = activity("docker_nfsd_nfs_reads_total", "Reads from the server that have ended.")
    static let readTime = activity("docker_nfsd_nfs_read_seconds_total", "Time that these reads took, all together.")
    static let writes = activity("docker_nfsd_nfs_writes_total", "Writes to the server that have ended.")
    static let writeTime = activity("docker_nfsd_nfs_write_seconds_total", "Time that these writes took, all together.")
    static let retransmissions = activity("docker_nfsd_nfs_retransmissions_total", "Calls to the server that were sent again.")
    static let majorTimeouts = activity(
        "docker_nfsd_nfs_major_timeouts_total", "Times for which the kernel has given up waiting for the server.")
    static let errors = activity("docker_nfsd_nfs_errors_total", "Calls that the server has answered with an error.")

    private static func activity(_ name: String, _ help: String) -> MetricDescription {
        MetricDescription(name, .counter, help, labels: ["volume"])
    }

    static let build = MetricDescription(
        "docker_nfsd_build_info", .gauge, "Always 1; the label says which version runs.", labels: ["version"])
    static let startTime = MetricDescription(
        "process_start_time_seconds", .gauge, "When the daemon was started, in seconds since 1970.")
    static let processorTime = MetricDescription("process_cpu_seconds_total", .counter, "Time that the daemon has spent on processors.")
    static let residentMemory = MetricDescription("process_resident_memory_bytes", .gauge, "Memory that the daemon uses.")
    static let descriptors = MetricDescription("process_open_fds", .gauge, "Descriptors that the daemon has open.")
    static let descriptorLimit = MetricDescription("process_max_fds", .gauge, "Descriptors that the daemon may open.")

    static let counted = [calls, callDuration, callsInFlight]

    /// All, in the order in which the page has them.
    package static let all =
        [build, startTime, processorTime, residentMemory, descriptors, descriptorLimit] + counted + [
            volumes, mountedVolumes, busyVolumes, references, volumesLeftOut, volumeInfo, volumeMounted, volumeReferences, volumeBusy,
            volumeMountFailed, serverUp, serverOutage, serverFailure, operations, readBytes, writtenBytes, reads, readTime, writes,
            writeTime, retransmissions, majorTimeouts, errors,
        ]
}
