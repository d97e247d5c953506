import ArgumentParser
import Foundation
import SallyportConfiguration

/// `sallyport ssh`: what SSH clients need to know of the gateway.
struct SSHCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ssh", abstract: "What SSH clients need to know of the gateway.", subcommands: [Config.self])

  struct Config: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "config", abstract: "Print a file for clients' ~/.ssh/config to include.",
      discussion: """
        With it, `ssh root@web-1` goes through the gateway, and nobody is ever asked about an unknown host key:

          sallyport ssh config --host gateway.example.org > sallyport_ssh
          Include ~/.ssh/sallyport_ssh          # first line of ~/.ssh/config

        It needs OpenSSH 8.5 or later. For others, --known-hosts prints a line for known_hosts instead.
        """)

    @Option(help: "The configuration: a file, or a folder of YAML files.")
    var config = "sallyport.yaml"
    @Option(help: "The data folder; overrides gateway.data.")
    var data: String?
    @Option(help: "The gateway's name or address, as clients reach it.")
    var host: String?
    @Option(help: "The port, as clients reach it; default: that of gateway.listen.ssh.")
    var port: UInt16?
    @Flag(name: .customLong("known-hosts"), help: "Print a line for known_hosts instead.")
    var knownHosts = false

    func run() throws {
      let (configuration, _) = try ConfigurationFile.open(config)
      guard let endpoint = configuration.gateway.listenSSH else {
        Output.error("sallyport: the gateway does not listen for SSH\n  Add gateway: { listen: { ssh: … } }.")
        throw ExitCode(1)
      }
      let folder = data ?? configuration.path(of: configuration.gateway.data)
      let path = folder + "/ssh_host_ed25519_key.pub"
      guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
        Output.error("sallyport: there is no host key yet (\(path))\n  Start the gateway once; it makes one.")
        throw ExitCode(1)
      }
      let key = text.trimmingCharacters(in: .whitespacesAndNewlines)
      let names = configuration.connections.values.filter { $0.protocolName == "ssh" }.map(\.name).sorted()
      let host = host ?? endpoint.host
      let port = port ?? endpoint.port
      if knownHosts {
        let gateway = port == 22 ? host : "[\(host)]:\(port)"
        return Output.line(([gateway] + names).joined(separator: ",") + " " + key)
      }
      Output.line(Config.include(gateway: configuration.gateway.name, host: host, port: port, names: names, key: key))
    }

    /// One key for the gateway and for all that is behind it, under one name that no DNS has.
    static func include(gateway: String, host: String, port: UInt16, names: [String], key: String) -> String {
      let trust = """
          HostKeyAlias sallyport-\(gateway)
          KnownHostsCommand /bin/echo sallyport-\(gateway) \(key)
          UserKnownHostsFile none
          GlobalKnownHostsFile none
          StrictHostKeyChecking yes
        """
      return """
        # Written by `sallyport ssh config`. Include it at the top of ~/.ssh/config.
        Host sallyport-\(gateway)
          HostName \(host)
          Port \(port)
        \(trust)

        Host \(names.joined(separator: " "))
          ProxyJump sallyport-\(gateway)
        \(trust)
        """
    }
  }
}
