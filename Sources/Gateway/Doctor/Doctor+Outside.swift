import Foundation
import Glibc
import Logging
import NIOPosix
import SallyportConfiguration

/// What the gateway tells others: webhooks and checkpoints, and what a gateway that runs here says does not work.
extension Doctor {
  func examineOutside() -> [Finding] {
    let audit = configuration.gateway.audit
    var findings = audit.checkpointFile.map { [examineCheckpoint(configuration.path(of: $0))] } ?? []
    let webhooks = [("checkpoint", audit.checkpointWebhook), ("approvals", configuration.approvals.webhook)]
    for case (let what, let webhook?) in webhooks { findings.append(examine(webhook, "webhook of \(what)")) }
    if audit.checkpointFile == nil, audit.checkpointWebhook == nil {
      findings.append(
        Finding(
          .warning, "checkpoint", "seals of the audit trail are kept in the data folder alone",
          mend: "Set gateway.audit.checkpoint: else whoever has the data folder can cut the trail off unseen."))
    }
    return findings + examineRunning()
  }

  private func examineCheckpoint(_ path: String) -> Finding {
    let subject = "checkpoint file \(path)"
    let folder = URL(filePath: path).deletingLastPathComponent()
    let isThere = access(path, F_OK) == 0
    guard access(isThere ? path : folder.path, W_OK) == 0 else {
      return Finding(
        .broken, subject, "it cannot be written: \(String(cString: strerror(errno)))",
        mend: "Make its folder, and let the gateway's account add to the file.")
    }
    let inside = URL(filePath: data).resolvingSymlinksInPath().path
    if "\(folder.resolvingSymlinksInPath().path)/".hasPrefix("\(inside)/") {
      return Finding(
        .warning, subject, "it lies in the data folder", mend: "Keep it where whoever has the data folder cannot write."
      )
    }
    return Finding(.good, subject, isThere ? "it can be added to" : "it can be made")
  }

  private func examine(_ webhook: WebhookSettings, _ subject: String) -> Finding {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    defer { try? group.syncShutdownGracefully() }
    var patience = WebhookSender.Patience()
    patience.deadline = self.patience
    let sender = WebhookSender(
      loop: group.next(), regions: .allowAll, directory: configuration.directory, patience: patience,
      logger: Logger(label: "doctor") { _ in SwiftLogNoOpLogHandler() })
    defer { sender.stop() }
    do {
      let status = try sender.probe(webhook)
      return Finding(.good, subject, "\(webhook.host) answers (\(status) to OPTIONS; nothing was posted)")
    } catch {
      return Finding(
        .broken, subject, "\(webhook.host): \(error)",
        mend: "Check its address and certificate, and that the gateway can read the secret.")
    }
  }

  /// Nothing where none runs, or where it does not answer this account.
  private func examineRunning() -> [Finding] {
    let socket = ControlClient.socketPath(data: data)
    guard access(socket, F_OK) == 0, let status = try? ControlClient.send(ControlRequest(.status), socket: socket),
      status.error == nil
    else { return [] }
    guard let troubles = status.troubles, !troubles.isEmpty else {
      return [Finding(.good, "gateway", "it runs, and says that all works")]
    }
    return troubles.map {
      Finding(.warning, "gateway", $0, mend: "Nothing is lost; it is tried again every minute. See the log, too.")
    }
  }
}
