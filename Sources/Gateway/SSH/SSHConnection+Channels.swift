import AccessModel
import CLibSSH
import Enforcement
import SSH
import SallyportConfiguration

/// Channels: what the client opens, and what it asks of them.
extension SSHConnection {
  /// Returns whether the message is done with; if not, a forward keeps it.
  func answerOpen(_ message: OpaquePointer) -> Bool {
    // libssh 0.10 never ends writing to a channel whose packets hold nothing beside their head.
    guard channels.count + jumps.count + forwards.count < SSHConnection.channelLimit, !endsWhenQuiet,
      queued_open_packet_size(message) >= SSHConnection.leastPacket
    else {
      ssh_message_reply_default(message)
      return true
    }
    switch UInt32(bitPattern: ssh_message_subtype(message)) {
    case SSH_CHANNEL_SESSION.rawValue:
      if let port = acceptPort(message) { channels.append(SSHExec(port, self)) }
    case SSH_CHANNEL_DIRECT_TCPIP.rawValue: return answerForward(message)
    default: ssh_message_reply_default(message)
    }
    return true
  }

  func acceptPort(_ message: OpaquePointer) -> SSHPort? {
    guard let transport, let port = SSHPort(on: transport), let channel = port.channel,
      ssh_message_channel_request_open_reply_accept_channel(message, channel) == SSH_OK
    else {
      ssh_message_reply_default(message)
      return nil
    }
    return port
  }

  /// `ssh -J gateway web-1` asks for a connection to web-1:22, and gets to talk to us in web-1's place. What else is asked
  /// for the target connects to, if there is one: the gateway itself never dials what a client names.
  private func answerForward(_ message: OpaquePointer) -> Bool {
    let host = ssh_message_channel_request_open_destination(message).map { String(cString: $0) } ?? ""
    if outer == nil, let person, mayReach(host) {
      guard let port = acceptPort(message) else { return true }
      guard let jump = SSHJump(port, self, Outer(person: person.user, connection: host)) else {
        port.close()
        return true
      }
      jumps.append(jump)
      return true
    }
    let number = Int(ssh_message_channel_request_open_destination_port(message))
    guard let request = ForwardRequest(host: host, port: number), let wanted, mayReach(wanted.connection) else {
      context.logger.info(
        "forward refused", metadata: ["user": "\(person?.user ?? "")", "destination": "\(host.prefix(255))"])
      ssh_message_reply_default(message)
      return true
    }
    let forward = SSHForward(message, request, self)
    forwards.append(forward)
    forward.begin()
    return false
  }

  /// Whether the person may use an SSH connection of this name; one that does not exist is not told apart.
  private func mayReach(_ name: String) -> Bool {
    guard let person, let subject = subject(of: person, on: name) else { return false }
    return context.policy.scoped(to: subject).hasAccess
  }

  func subject(of person: Person, on name: String) -> Subject? {
    let current = context.current
    guard let settings = current.configuration.connections[name], settings.protocolName == "ssh",
      person.connections.isEmpty || person.connections.contains(name),
      person.key.map({ current.keyOwners[$0] == person.user }) ?? true
    else { return nil }
    return current.configuration.subject(user: person.user, connection: name, clientAddress: clientAddress)
  }

  // MARK: Requests

  func answerChannel(_ message: OpaquePointer) {
    let pointer = ssh_message_channel_request_channel(message)
    guard let channel = channels.first(where: { $0.client.channel == pointer && pointer != nil }) else {
      ssh_message_reply_default(message)
      return
    }
    let answer = channel.requests.receive(SSHConnection.request(message))
    switch answer {
    case .fail: ssh_message_reply_default(message)
    case .accept: ssh_message_channel_request_reply_success(message)
    case .resize(let columns, let rows):
      ssh_message_channel_request_reply_success(message)
      channel.resize(columns: columns, rows: rows)
    case .decide(let command):
      ssh_message_channel_request_reply_success(message)
      channel.decide(command)
    case .refuse(let command, let denial):
      ssh_message_channel_request_reply_success(message)
      channel.refuse(command, denial)
    }
  }

  private static func request(_ message: OpaquePointer) -> SessionChannel.Request {
    switch UInt32(bitPattern: ssh_message_subtype(message)) {
    case SSH_CHANNEL_REQUEST_EXEC.rawValue:
      // A zero byte ends the text for libssh, and so for the backend.
      .exec(ssh_message_channel_request_command(message).flatMap { String(validatingCString: $0) })
    case SSH_CHANNEL_REQUEST_SHELL.rawValue: .shell
    case SSH_CHANNEL_REQUEST_SUBSYSTEM.rawValue:
      .subsystem(ssh_message_channel_request_subsystem(message).map { String(String(cString: $0).prefix(64)) } ?? "")
    case SSH_CHANNEL_REQUEST_PTY.rawValue:
      .terminal(
        Terminal(
          type: queued_terminal_type(message).map { String(cString: $0) } ?? "",
          columns: Int(queued_terminal_width(message)), rows: Int(queued_terminal_height(message))))
    case SSH_CHANNEL_REQUEST_ENV.rawValue: .environment
    case SSH_CHANNEL_REQUEST_WINDOW_CHANGE.rawValue:
      .windowChange(columns: Int(queued_terminal_width(message)), rows: Int(queued_terminal_height(message)))
    case SSH_CHANNEL_REQUEST_X11.rawValue: .x11
    default: .other
    }
  }
}
