/// Which functions, operators and casts of PostgreSQL's own give a value for every value that they are given.
///
/// All others can fail on some values, and take longer on some: whether `1 / (length(ssn) - 11)` is an error tells that a
/// hidden value has eleven characters. Over a masked column they count as predicates.
enum TotalFunctions {
  /// Whose arguments cannot make them fail.
  enum Arguments {
    case all, first
    /// All but the first.
    case rest
  }

  static func arguments(_ name: String) -> Arguments? { functions[name] }

  private static let functions: [String: Arguments] = {
    var known: [String: Arguments] = [:]
    for (words, arguments) in [(all, Arguments.all), (first, .first), (rest, .rest)] {
      for word in words.split(whereSeparator: \.isWhitespace) { known[String(word)] = arguments }
    }
    return known
  }()

  private static let all = """
    upper lower initcap reverse length char_length character_length octet_length bit_length md5 concat quote_literal
    quote_ident quote_nullable btrim ltrim rtrim trim replace translate concat_ws ascii sha224 sha256 sha384 sha512
    to_json to_jsonb row_to_json json_build_array jsonb_build_array json_build_object jsonb_build_object array_to_json
    json_typeof jsonb_typeof jsonb_pretty json_strip_nulls jsonb_strip_nulls json_extract_path json_extract_path_text
    jsonb_extract_path jsonb_extract_path_text
    count min max sum avg string_agg array_agg json_agg jsonb_agg json_object_agg jsonb_object_agg bool_and bool_or every
    xmlagg first_value last_value lag lead
    ceil ceiling floor sign pg_typeof pg_column_size num_nulls num_nonnulls cardinality array_ndims array_to_string
    host family masklen text varchar bpchar name age isfinite hashtext unnest string_to_array array_dims textcat
    """

  /// How long, from where and into which form the others say.
  private static let first = """
    substr substring left right lpad rpad split_part to_char round trunc array_length array_lower array_upper encode
    nth_value repeat
    """

  /// The first says what is wanted of it.
  private static let rest = "date_part extract date_trunc"

  /// Whose values cannot make them fail; what is not here compares, or can.
  static let operators: Set<String> = ["||", "->", "->>", "#>", "#>>"]

  /// What every value can be cast to.
  static let types: Set<String> = ["text", "varchar", "bpchar", "name"]
}
