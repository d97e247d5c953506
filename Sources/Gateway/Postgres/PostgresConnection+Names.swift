import AccessModel
import NIOCore
import Postgres
import SQLAnalysis

/// Texts that cannot be analysed on the spot: they are long, or the catalogue must be read first (DECISIONS 4).
extension PostgresConnection {
  func analyze(_ text: String, _ relay: Relay) throws(ProtocolError) {
    guard let names = relay.names else { return submit(text, nil) }
    // A short text is only asked for when the catalogue does not do.
    if text.utf8.count > SQLAnalyzer.inlineLimit, let context = names.context(in: relay.session.scope) {
      return submit(text, context)
    }
    readCatalog(relay.target) { connection, result in
      guard let relay = connection.relay, let names = relay.names else { return }
      switch result {
      case .success(let catalog):
        connection.finish(text, relay, names, names.context(in: relay.session.scope, by: catalog))
      case .failure(let error):
        connection.context.logger.warning(
          "catalogue not available",
          metadata: ["connection": "\(relay.target.settings.name)", "reason": "\(error)"])
        connection.supply(Analysis(text: text, misunderstood: .opaque("the backend's catalogue could not be read")))
      }
    }
  }

  private func finish(_ text: String, _ relay: Relay, _ names: SessionAnalyses, _ context: NameContext) {
    guard text.utf8.count <= SQLAnalyzer.inlineLimit else { return submit(text, context) }
    let analysis = SQLAnalyzer.analyze(text, functions: state.functions, names: context)
    names.keep(analysis)
    supply(analysis)
  }

  private func supply(_ analysis: Analysis) {
    act { relay throws(ProtocolError) in try relay.session.supply(analysis) }
  }

  private func submit(_ text: String, _ names: NameContext?) {
    let bound = bound
    let loop = state.loop
    let isTaken = context.analyzer.submit(text, functions: state.functions, names: names) { analysis in
      loop.execute {
        bound.value.relay?.names?.keep(analysis)
        bound.value.supply(analysis)
      }
    }
    guard !isTaken else { return }
    // Too many long texts wait: this one counts as not understood.
    let opaque = Analysis(text: text, misunderstood: .opaque("the gateway is too busy to analyse it"))
    loop.execute { bound.value.supply(opaque) }
  }
}
