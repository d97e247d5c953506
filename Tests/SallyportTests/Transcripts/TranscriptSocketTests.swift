import AccessModel
import AuditTrail
import Dispatch
import Foundation
import Glibc
import Logging
import NIOCore
import Testing

@testable import Gateway

/// Plays a transcript over sockets: a gateway in this process, a raw client, a scripted stand-in for the backend.
final class SocketDriver: TranscriptDriver {
  private let gateway: GatewayServer
  private let data: String
  private let backend: ScriptedBackend
  private let client: WireConnection
  private let session: WireConnection
  private let approver: String
  private var key: [UInt8] = []
  private var records = 0
  /// Sending has a thread of its own, so that a message longer than all buffers on its way finds a reader.
  private let clientQueue = DispatchQueue(label: "client")
  private let backendQueue = DispatchQueue(label: "backend")

  init(_ transcript: Transcript) throws {
    backend = try ScriptedBackend(relations: transcript.relations)
    data = FileManager.default.temporaryDirectory.path + "/sallyport-wire-\(UInt32.random(in: .min ... .max))"
    let text = try TranscriptFolder.policy(transcript.policy)
      .replacingOccurrences(of: "127.0.0.1:5432", with: "127.0.0.1:\(backend.port)")
    let configuration = try TranscriptRun.configuration(text, file: transcript.policy)
    var options = GatewayServer.Options()
    options.followsNames = false
    gateway = try GatewayServer(
      configuration, data: data, logger: Logger(label: "transcripts") { _ in SwiftLogNoOpLogHandler() },
      options: options)
    let ana = try SocketDriver.token("ana", data)
    approver = try SocketDriver.token("dora", data)
    client = try SocketDriver.dial(gateway.address.port ?? 0)
    key = try SocketDriver.signIn(client, ana)
    session = try backend.session()
  }

  static func token(_ user: String, _ data: String) throws -> String {
    let response = try ControlClient.send(
      ControlRequest(.tokenCreate, ["user": user, "name": "transcripts"]), socket: ControlClient.socketPath(data: data))
    guard let secret = response.secret else { throw TranscriptMistake("no token: \(response.error ?? "")") }
    return secret
  }

  static func dial(_ port: Int) throws -> WireConnection {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { throw TranscriptMistake("the gateway does not answer") }
    return WireConnection(descriptor)
  }

  /// Signs ana in by her token; returns the cancel key as its eight bytes.
  static func signIn(_ client: WireConnection, _ token: String) throws -> [UInt8] {
    let body = WireFrame.integer(Int32(196_608)) + Array("user\0ana\0database\0shop\0\0".utf8)
    client.send(WireFrame.integer(Int32(body.count + 4)) + body)
    var key: [UInt8] = []
    while let frame = client.nextFrame() {
      switch frame.tag {
      case UInt8(ascii: "R") where frame.body == [0, 0, 0, 3]:
        client.send(WireFrame(tag: UInt8(ascii: "p"), body: Array(token.utf8) + [0]).bytes)
      case UInt8(ascii: "K"): key = frame.body
      case UInt8(ascii: "Z"): return key
      case UInt8(ascii: "E"): throw TranscriptMistake("no sign-in: \(frame.spelled(from: .backend))")
      case _: break
      }
    }
    throw TranscriptMistake("the gateway closed the connection during sign-in")
  }

  // MARK: TranscriptDriver

  func send(_ frames: [WireFrame], from side: Side) throws {
    let bytes = frames.flatMap(\.bytes)
    switch side {
    case .client: clientQueue.async { [client] in client.send(bytes) }
    case .backend: backendQueue.async { [session] in session.send(bytes) }
    }
  }

  func act(_ act: Transcript.Act) throws {
    switch act {
    case .approve: try answer(.approvalsApprove, reason: nil)
    case .refuse(_, let reason): try answer(.approvalsDeny, reason: reason)
    case .cancel:
      _ = try waitingRequest()
      let cancel = try SocketDriver.dial(gateway.address.port ?? 0)
      cancel.send(WireFrame.integer(Int32(16)) + WireFrame.integer(Int32(80_877_102)) + key)
    }
  }

  private func answer(_ verb: ControlVerb, reason: String?) throws {
    let request = try waitingRequest()
    var arguments = ["id": "\(request)"]
    arguments["reason"] = reason
    let response = try ControlClient.send(
      ControlRequest(verb, arguments, token: approver), socket: ControlClient.socketPath(data: data))
    if let error = response.error { throw TranscriptMistake(error) }
  }

  private func waitingRequest() throws -> Int64 {
    for _ in 0..<500 {
      let response = try ControlClient.send(
        ControlRequest(.approvalsList), socket: ControlClient.socketPath(data: data))
      if let approval = response.approvals?.first { return approval.id }
      usleep(10_000)
    }
    throw TranscriptMistake("no request for approval came")
  }

  func nextFrame(to side: Side) throws -> WireFrame? {
    guard side == .client else { return session.nextFrame() }
    while let frame = client.nextFrame() {
      // The gateway's word that a statement waits belongs to the driver of sockets, and so to no transcript.
      if frame.tag == UInt8(ascii: "N"), frame.spelled(from: .backend).contains("waiting for approval") { continue }
      return frame
    }
    return nil
  }

  /// Records of the one event loop, as far as transcripts spell them.
  private func spelledRecords() throws -> [String] {
    var cursor = AuditReader(directory: AuditDirectory.path(data: data)).records(ofLane: "loop-0")
    var lines: [String] = []
    while let record = try cursor.next() {
      if let line = record.entry.flatMap(AuditSpelling.line) { lines.append(line) }
    }
    return lines
  }

  func nextRecord() throws -> String? {
    for _ in 0..<500 {
      let lines = try spelledRecords()
      if lines.count > records {
        defer { records += 1 }
        return lines[records]
      }
      usleep(10_000)
    }
    return nil
  }

  func hasEnded() throws -> Bool { try nextFrame(to: .client) == nil }

  /// Nothing can be told before the end: what is on its way may still come.
  func leftovers() throws -> [String] { [] }

  func finish() throws -> [String] {
    clientQueue.sync {}
    backendQueue.sync {}
    client.finish()
    var lines: [String] = []
    while let frame = session.nextFrame() { lines.append("backend < \(frame.spelled(from: .client))") }
    gateway.stop(reason: "the transcript is over")
    backend.stop()
    let all = try spelledRecords()
    // What was under way when the client left ends as lost, which only the gateway knows.
    lines += all.dropFirst(records).filter { !$0.hasPrefix("lost") }.map { "audit \($0)" }
    try? FileManager.default.removeItem(atPath: data)
    return lines
  }
}

extension AuditSpelling {
  /// The same line from a record that was read back; nil for events that transcripts leave out.
  static func line(for entry: AuditEntry) -> String? {
    switch entry.event {
    case "decided":
      let effects = entry.effects ?? []
      return decided(
        entry.action ?? "", stage: entry.stage ?? "", rule: entry.rule ?? "",
        effects: effects.isEmpty ? "none" : effects.joined(separator: ","), footprint: spelled(entry.footprint),
        approvers: entry.approvers ?? [])
    case "finished":
      return finished(
        entry.ending ?? "", tag: entry.tag ?? "", error: entry.error ?? "", rows: entry.rows ?? 0,
        masked: entry.masked ?? [])
    case "control": return "control \(entry.purpose ?? "")"
    case _: return nil
    }
  }

  private static func spelled(_ footprint: AuditEntry.Footprint?) -> String {
    switch footprint {
    case .everything, nil: return "everything"
    case .resources(let accesses):
      if accesses.isEmpty { return "nothing" }
      return accesses.map { access in
        access.path.compactMap { $0 }.joined(separator: ".") + ":"
          + (access.effects.isEmpty ? "none" : access.effects.joined(separator: ","))
      }.joined(separator: ",")
    }
  }
}

@Suite("Transcripts over sockets", .serialized) struct TranscriptSocketTests {
  @Test(arguments: TranscriptFolder.readable) func overSockets(_ transcript: Transcript) throws {
    try TranscriptRun.play(transcript, on: try SocketDriver(transcript))
  }
}
