import Foundation

/// A real HTTP server, Python's, that keeps what is posted to it: each body is a line of what GET answers. What comes to
/// `/hang` is never answered; `/broken` answers 500 until `mend`.
final class HeadReceiver {
  private static let server = """
    import http.server, json, os, sys, threading
    folder = sys.argv[1]
    class Receiver(http.server.BaseHTTPRequestHandler):
        def answer(self, status, body=b""):
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"] or 0)).decode()
            with open(folder + "/requests", "a") as file:
                file.write(json.dumps({"path": self.path, "body": body, "time": self.headers["x-sallyport-timestamp"],
                    "signature": self.headers["x-sallyport-signature"]}) + "\\n")
            if self.path == "/hang":
                threading.Event().wait()
            if self.path == "/broken" and not os.path.exists(folder + "/mended"):
                return self.answer(500)
            with open(folder + "/heads", "a") as file:
                file.write(body)
            self.answer(204)
        def do_GET(self):
            if self.path == "/hang":
                threading.Event().wait()
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("location", "/heads")
                self.end_headers()
                return
            self.answer(200, open(folder + "/heads", "rb").read())
        def log_message(self, *arguments): pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    print(server.server_port, flush=True)
    server.serve_forever()
    """
  struct Request: Decodable {
    var path: String
    var body: String
    var time: String
    var signature: String
  }
  static let secret = "receiver-secret-123"

  let port: Int
  let secretFile: String
  private let folder: String
  private let process: ChildProcess

  init() throws {
    folder = try TestRun.newFolder("receiver")
    secretFile = "\(folder)/secret"
    try HeadReceiver.secret.write(toFile: secretFile, atomically: false, encoding: .utf8)
    let process = try ChildProcess(try TestRun.python(), ["-c", HeadReceiver.server, folder])
    self.process = process
    port = try eventually("the receiver's port") {
      Int(process.output.trimmingCharacters(in: .whitespacesAndNewlines))
    }
  }

  func url(_ path: String) -> String { "http://127.0.0.1:\(port)\(path)" }

  /// What was posted so far.
  func requests() throws -> [Request] {
    let text = (try? String(contentsOfFile: "\(folder)/requests", encoding: .utf8)) ?? ""
    return try text.split(separator: "\n").map { try JSONDecoder().decode(Request.self, from: Data($0.utf8)) }
  }

  /// What was taken, as one text.
  var heads: String { (try? String(contentsOfFile: "\(folder)/heads", encoding: .utf8)) ?? "" }

  func mend() throws { try "".write(toFile: "\(folder)/mended", atomically: false, encoding: .utf8) }

  func stop() { process.send(SIGKILL) }
}
