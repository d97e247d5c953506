/// The status in Prometheus' text format, version 0.0.4 (prometheus.io, "Exposition formats").
struct PrometheusText {
  private(set) var text = ""

  init(_ status: GatewayStatus, version: String, policy: String) {
    add(
      "sallyport_info", "gauge", "Version and policy in force.",
      [
        ("{version=\"\(version)\",policy=\"\(policy.prefix(16))\"}", "1")
      ])
    let counters = status.counters
    add("sallyport_connections_total", "counter", "Connections taken on.", counters.connections)
    add("sallyport_failed_logins_total", "counter", "Attempts to sign in that failed.", counters.failedLogins)
    add("sallyport_sessions_total", "counter", "Sessions that reached their backend.", counters.sessions)
    add("sallyport_sessions", "gauge", "Sessions open now.", UInt64(status.openSessions))
    add(
      "sallyport_failed_backends_total", "counter", "Sessions whose backend could not be had.",
      counters.failedBackends)
    add(
      "sallyport_commands_total", "counter", "Commands by what was decided.",
      [
        ("{decision=\"permit\"}", "\(counters.permitted)"), ("{decision=\"deny\"}", "\(counters.denied)"),
        ("{decision=\"hold\"}", "\(counters.held)"), ("{decision=\"unrecorded\"}", "\(counters.unrecorded)"),
      ])
    add("sallyport_failed_commands_total", "counter", "Permitted commands that ended in an error.", counters.failed)
    add("sallyport_waiting_commands", "gauge", "Commands that wait for an approval.", UInt64(status.waiting))
    addDurations(counters.durations)
    if let free = status.freeBytes { add("sallyport_data_free_bytes", "gauge", "Room in the data folder.", free) }
    addSealing(status.sealing)
    add("sallyport_loops", "gauge", "Event loops.", UInt64(status.loops))
    add("sallyport_answering_loops", "gauge", "Event loops that answer.", UInt64(status.answeringLoops))
    add("sallyport_draining", "gauge", "1 while no new sessions are taken.", status.isDraining ? 1 : 0)
    add("process_resident_memory_bytes", "gauge", "Resident memory.", UInt64(status.residentBytes))
    add("process_cpu_seconds_total", "counter", "CPU time of the process.", [("", "\(status.cpuSeconds)")])
    add("process_open_fds", "gauge", "Open descriptors.", UInt64(status.descriptors))
    add("process_start_time_seconds", "gauge", "Start, in seconds since 1970.", UInt64(max(0, status.startedAt)))
  }

  private mutating func addSealing(_ sealing: AuditSealing.Standing) {
    add("sallyport_audit_seals_total", "counter", "Number of the newest seal of the audit trail.", sealing.seal)
    if let time = sealing.sealedAt {
      add(
        "sallyport_audit_sealed_time_seconds", "gauge", "When the audit trail was last sealed, since 1970.",
        UInt64(max(0, time)))
    }
    let kept = OutsideCheckpoint.Kind.allCases.compactMap { kind in
      sealing.keptAt[kind].map { ("{place=\"\(kind.rawValue)\"}", "\(max(0, $0))") }
    }
    if !kept.isEmpty {
      add(
        "sallyport_audit_checkpoint_time_seconds", "gauge", "When a place outside last took a seal, since 1970.", kept)
    }
    add(
      "sallyport_audit_troubles", "gauge", "Places for seals, the trail's own included, that fail now.",
      UInt64(sealing.troubles))
  }

  private mutating func addDurations(_ durations: DurationHistogram) {
    var lines: [(String, String)] = []
    var below: UInt64 = 0
    for (bucket, count) in durations.counts.enumerated() {
      below += count
      let bound =
        bucket < DurationHistogram.bucketCount ? "\(Double(DurationHistogram.bound(bucket)) / 1e6)" : "+Inf"
      lines.append(("_bucket{le=\"\(bound)\"}", "\(below)"))
    }
    lines.append(("_sum", "\(Double(durations.sum) / 1e6)"))
    lines.append(("_count", "\(below)"))
    add("sallyport_command_seconds", "histogram", "From the permit of a command to its end.", lines)
  }

  private mutating func add(_ name: String, _ type: String, _ help: String, _ value: UInt64) {
    add(name, type, help, [("", "\(value)")])
  }

  private mutating func add(_ name: String, _ type: String, _ help: String, _ lines: [(String, String)]) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    for (suffix, value) in lines { text += "\(name)\(suffix) \(value)\n" }
  }
}
