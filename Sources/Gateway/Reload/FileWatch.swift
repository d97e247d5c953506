import Dispatch
import Foundation
import Glibc

/// Says when the files of a configuration were replaced or written to their end, and nothing has happened since for a
/// while (DECISIONS 26): inotify(7) on their folders.
final class FileWatch: Sendable {
  private let queue = DispatchQueue(label: "configuration files")
  /// Dispatch's sources may be used from any thread (dispatch_source_create(3)), which their Swift type does not say.
  private nonisolated(unsafe) let source: any DispatchSourceRead

  /// nil where the kernel gives no watch.
  ///
  /// - Parameters:
  ///   - path: a file, or a folder of YAML files.
  ///   - quiet: how long nothing must have happened, in seconds.
  ///   - changed: called on a queue of its own, never twice at a time.
  init?(path: String, quiet: Double, changed: @escaping @Sendable () -> Void) {
    let descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
    guard descriptor >= 0 else { return nil }
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    var watched: [Int32: String?] = [:]
    // A file is watched by its name in its folder, since it is replaced; a link also where it leads.
    for file in Set([path, URL(filePath: path).resolvingSymlinksInPath().path]) where exists {
      let folder = isFolder.boolValue ? file : URL(filePath: file).deletingLastPathComponent().path
      let watch = inotify_add_watch(descriptor, folder, UInt32(IN_CLOSE_WRITE) | UInt32(IN_MOVED_TO))
      if watch >= 0 { watched[watch] = isFolder.boolValue ? nil : URL(filePath: file).lastPathComponent }
    }
    let names = watched
    let turn = Turn()
    let queue = queue
    source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
    source.setEventHandler {
      guard FileWatch.take(descriptor, names) else { return }
      turn.number += 1
      let mine = turn.number
      queue.asyncAfter(deadline: .now() + quiet) { if turn.number == mine { changed() } }
    }
    source.setCancelHandler { _ = Glibc.close(descriptor) }
    source.resume()
  }

  /// Waits for a call that is under way; there is none afterwards.
  func stop() {
    source.cancel()
    queue.sync {}
  }

  deinit { source.cancel() }

  /// Counts changes. Touched on the watch's queue alone, which is serial: that is what makes it safe to share.
  private final class Turn: @unchecked Sendable {
    var number = 0
  }

  /// Reads what has happened; true when a file of the configuration is among it. `names` has the name that counts in
  /// each watched folder, nil where every YAML file does.
  private static func take(_ descriptor: Int32, _ names: [Int32: String?]) -> Bool {
    var isOurs = false
    var buffer = [UInt8](repeating: 0, count: 16_384)
    while true {
      let count = buffer.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
      guard count > 0 else { return isOurs }
      var offset = 0
      while offset + 16 <= count {
        // struct inotify_event: wd, mask, cookie, len, then the name with zero bytes behind it.
        let (watch, length) = buffer.withUnsafeBytes {
          (
            $0.loadUnaligned(fromByteOffset: offset, as: Int32.self),
            Int($0.loadUnaligned(fromByteOffset: offset + 12, as: UInt32.self))
          )
        }
        let end = min(offset + 16 + length, count)
        let name = String(decoding: buffer[(offset + 16)..<end].prefix { $0 != 0 }, as: UTF8.self)
        if concerns(name, names[watch] ?? nil) { isOurs = true }
        offset = end
      }
    }
  }

  private static func concerns(_ name: String, _ wanted: String?) -> Bool {
    // Kubernetes replaces a mounted folder's files by renaming this link.
    if name == "..data" { return true }
    guard let wanted else { return !name.hasPrefix(".") && (name.hasSuffix(".yaml") || name.hasSuffix(".yml")) }
    return name == wanted
  }
}
