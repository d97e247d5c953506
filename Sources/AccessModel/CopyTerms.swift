/// How one statement writes rows to the client as a stream, so that whoever masks them can find their values
/// (PostgreSQL: COPY TO STDOUT, with its options).
public struct CopyTerms: Hashable, Sendable {
  public enum Format: Hashable, Sendable { case text, csv, binary }

  /// A column of the stream.
  public struct Column: Hashable, Sendable {
    public var name: String
    /// The type by the protocol's number, 0 where it is not known: then only NULL can stand for a value.
    public var type: UInt32
    public var modifier: Int32
    /// CSV: each value stands in quotes.
    public var isQuoted: Bool

    public init(name: String, type: UInt32 = 0, modifier: Int32 = -1, isQuoted: Bool = false) {
      self.name = name
      self.type = type
      self.modifier = modifier
      self.isQuoted = isQuoted
    }
  }

  public var format: Format
  /// Between values; text and CSV.
  public var delimiter: UInt8
  /// CSV.
  public var quote: UInt8
  /// In front of a quote inside quotes; CSV.
  public var escape: UInt8
  /// What stands for NULL; text and CSV.
  public var null: [UInt8]
  /// The first row holds the columns' names.
  public var hasHeader: Bool
  /// nil when their number is not known.
  public var columns: [Column]?
  /// Why values cannot be found in it, without a full stop; nil when they can.
  public var obstacle: String?

  /// The defaults of a format.
  public init(_ format: Format, columns: [Column]? = nil) {
    self.format = format
    self.columns = columns
    delimiter = UInt8(ascii: format == .csv ? "," : "\t")
    quote = UInt8(ascii: "\"")
    escape = UInt8(ascii: "\"")
    null = format == .csv ? [] : Array("\\N".utf8)
    hasHeader = false
  }
}
