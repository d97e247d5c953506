import CLibSSH

/// One channel of one libssh session. Its callbacks only note what came; whoever relays looks at that later.
final class SSHPort {
  /// Which of a channel's two streams towards the client.
  enum Stream: Int32, CaseIterable {
    case output = 0
    case errors = 1
  }
  struct ExitSignal {
    var name: String
    var isCoreDumped: Bool
    var message: String
    var language: String
  }

  private unowned let transport: SSHTransport
  private(set) var channel: OpaquePointer?
  private let callbacks = UnsafeMutablePointer<ssh_channel_callbacks_struct>.allocate(capacity: 1)
  /// The peer sends no more data; what is buffered can still be read.
  private(set) var hasEnded = false
  private(set) var isClosed = false
  private(set) var exitStatus: Int32?
  private(set) var exitSignal: ExitSignal?
  /// Signals that the peer sent, to be passed on.
  private(set) var signals: [String] = []

  private static let signalLimit = 16
  /// Bytes of one stream that libssh may keep for us; the window that it grants is 1.28 MB.
  private static let keptLimit: UInt32 = 4 << 20

  /// A new channel, whose callbacks are in place before anything can come.
  init?(on transport: SSHTransport) {
    guard transport.isOpen, let channel = ssh_channel_new(transport.session) else {
      callbacks.deallocate()
      return nil
    }
    self.transport = transport
    self.channel = channel
    var hooks = ssh_channel_callbacks_struct()
    hooks.size = MemoryLayout<ssh_channel_callbacks_struct>.size
    hooks.userdata = Unmanaged.passUnretained(self).toOpaque()
    // Nothing is taken here: libssh keeps it until it is asked for, even what the channel's window had no room for.
    hooks.channel_data_function = { _, _, _, kept, _, port in
      if kept > SSHPort.keptLimit { SSHPort.at(port)?.transport.breach("it sends more than it may") }
      return 0
    }
    hooks.channel_eof_function = { _, _, port in SSHPort.at(port)?.hasEnded = true }
    hooks.channel_close_function = { _, _, port in
      SSHPort.at(port)?.hasEnded = true
      SSHPort.at(port)?.isClosed = true
    }
    hooks.channel_exit_status_function = { _, _, status, port in SSHPort.at(port)?.exitStatus = status }
    hooks.channel_exit_signal_function = { _, _, name, core, message, language, port in
      SSHPort.at(port)?.exitSignal = ExitSignal(
        name: SSHPort.text(name), isCoreDumped: core != 0, message: SSHPort.text(message),
        language: SSHPort.text(language))
    }
    hooks.channel_signal_function = { _, _, name, port in
      guard let port = SSHPort.at(port), port.signals.count < SSHPort.signalLimit else { return }
      port.signals.append(SSHPort.text(name))
    }
    callbacks.initialize(to: hooks)
    ssh_set_channel_callbacks(channel, callbacks)
    transport.adopt(self)
  }

  deinit {
    free()
    callbacks.deallocate()
  }

  private static func at(_ pointer: UnsafeMutableRawPointer?) -> SSHPort? {
    pointer.map { Unmanaged<SSHPort>.fromOpaque($0).takeUnretainedValue() }
  }

  private static func text(_ pointer: UnsafePointer<CChar>?) -> String {
    pointer.map { String(String(cString: $0).prefix(256)) } ?? ""
  }

  // MARK: Data

  /// Whether more may be written: what was written before has left the process.
  var isWritable: Bool { channel != nil && transport.isWritable }

  /// Bytes that the peer takes now.
  var room: Int { channel.map { Int(ssh_channel_window_size($0)) } ?? 0 }

  /// Reads all that is there; nil when that is nothing.
  ///
  /// Never a part of it: libssh grants the peer a new window at every read, however much it still keeps, so that many
  /// small reads for a slow taker would have it keep ever more. So it is at most one window here, and one there.
  func read(_ stream: Stream) -> [UInt8]? {
    guard let channel else { return nil }
    let count = ssh_channel_poll(channel, stream.rawValue)
    guard count > 0 else { return nil }
    let bytes = [UInt8](unsafeUninitializedCapacity: Int(count)) { buffer, used in
      used = max(0, Int(ssh_channel_read_nonblocking(channel, buffer.baseAddress, UInt32(count), stream.rawValue)))
    }
    return bytes.isEmpty ? nil : bytes
  }

  /// Whether nothing is left to be read of a stream.
  func isDrained(_ stream: Stream) -> Bool {
    guard let channel else { return true }
    return ssh_channel_poll(channel, stream.rawValue) <= 0
  }

  /// Writes what the channel's window takes; returns how much that was.
  func write(_ stream: Stream, _ bytes: UnsafeRawBufferPointer) -> Int {
    guard let channel, !bytes.isEmpty, ssh_channel_is_open(channel) != 0 else { return 0 }
    let room = min(Int(ssh_channel_window_size(channel)), bytes.count)
    guard room > 0 else { return 0 }
    let count =
      switch stream {
      case .output: ssh_channel_write(channel, bytes.baseAddress, UInt32(room))
      case .errors: ssh_channel_write_stderr(channel, bytes.baseAddress, UInt32(room))
      }
    return max(0, Int(count))
  }

  func sendEnd() { if let channel { ssh_channel_send_eof(channel) } }

  func takeSignals() -> [String] {
    defer { signals.removeAll() }
    return signals
  }

  func send(signal: String) { if let channel { ssh_channel_request_send_signal(channel, signal) } }

  func send(exitStatus: Int32) { if let channel { ssh_channel_request_send_exit_status(channel, exitStatus) } }

  func send(_ signal: ExitSignal) {
    guard let channel else { return }
    ssh_channel_request_send_exit_signal(
      channel, signal.name, signal.isCoreDumped ? 1 : 0, signal.message, signal.language)
  }

  // MARK: Ends

  /// Closes the channel and forgets it; libssh frees it when the peer has closed it too.
  func close() {
    guard let channel else { return }
    // One that the peer never opened has no number there: a close would be for another's.
    if ssh_channel_is_open(channel) != 0 { ssh_channel_close(channel) }
    free()
    transport.rearm()
  }

  private func free() {
    guard let channel else { return }
    self.channel = nil
    ssh_remove_channel_callbacks(channel, callbacks)
    ssh_channel_free(channel)
    transport.forget(self)
  }

  /// The session has freed its channels, or is about to.
  func sessionIsGone() {
    guard let channel else { return }
    self.channel = nil
    ssh_remove_channel_callbacks(channel, callbacks)
    hasEnded = true
    isClosed = true
  }
}
