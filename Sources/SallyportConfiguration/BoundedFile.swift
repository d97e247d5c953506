import Foundation

/// Reads files no further than a bound.
enum BoundedFile {
  struct Failure: Error {
    /// Lower case, without a full stop.
    var message: String
  }

  /// The whole file. Throws when it cannot be read, is a folder, or is larger than `limit` bytes.
  static func read(_ path: String, limit: Int) throws(Failure) -> [UInt8] {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw Failure(message: "there is no such file")
    }
    guard !isFolder.boolValue else { throw Failure(message: "this is a folder") }
    guard let handle = FileHandle(forReadingAtPath: path) else { throw Failure(message: "the file cannot be opened") }
    defer { try? handle.close() }
    var bytes: [UInt8] = []
    do {
      // A pipe gives less than was asked for, so go on until the end.
      while bytes.count <= limit, let part = try handle.read(upToCount: limit + 1 - bytes.count), !part.isEmpty {
        bytes += part
      }
    } catch {
      throw Failure(message: "the file cannot be read")
    }
    guard bytes.count <= limit else { throw Failure(message: "the file is larger than \(limit) bytes") }
    return bytes
  }

  /// `path` as seen from a folder; an absolute path stays.
  static func join(_ folder: String, _ path: String) -> String {
    if path.hasPrefix("/") || folder.isEmpty { return path }
    return folder.hasSuffix("/") ? folder + path : folder + "/" + path
  }
}
