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
    /// Each second one: the others are keys, which must not be NULL.
    case values
    /// The first, where the others are short constants: with long ones they can fail, and with patterns take long.
    case firstBesideConstants
  }

  /// Characters of a constant, or what a number in it may be, so that nothing made with it grows beyond all bounds.
  static let shortConstant = 1_000

  static func arguments(_ name: String) -> Arguments? { functions[name] }

  private static let functions: [String: Arguments] = {
    var known: [String: Arguments] = [:]
    for (words, arguments) in [
      (all, Arguments.all), (first, .first), (rest, .rest), (values, .values), (besideConstants, .firstBesideConstants),
    ] {
      for word in words.split(whereSeparator: \.isWhitespace) { known[String(word)] = arguments }
    }
    return known
  }()

  private static let all = """
    upper lower initcap reverse length char_length character_length octet_length bit_length md5 concat quote_literal
    quote_ident quote_nullable btrim ltrim rtrim trim translate concat_ws ascii sha224 sha256 sha384 sha512
    to_json to_jsonb row_to_json json_build_array jsonb_build_array array_to_json
    json_typeof jsonb_typeof jsonb_pretty json_strip_nulls jsonb_strip_nulls json_extract_path json_extract_path_text
    jsonb_extract_path jsonb_extract_path_text
    count min max sum avg string_agg array_agg json_agg jsonb_agg bool_and bool_or every
    bit_and bit_or bit_xor
    xmlagg first_value last_value
    ceil ceiling floor sign pg_typeof pg_column_size num_nulls num_nonnulls cardinality array_ndims array_to_string
    host family masklen text varchar bpchar name age isfinite hashtext unnest array_dims textcat
    """

  /// How long, from where and into which form the others say.
  private static let first = """
    substr left right lpad rpad split_part to_char round trunc array_length array_lower array_upper encode
    nth_value lag lead
    """

  private static let besideConstants = "repeat replace substring"

  /// As many as they have pairs.
  private static let values = "json_build_object jsonb_build_object"

  /// The first says what is wanted of it.
  private static let rest = "date_part extract date_trunc json_object_agg jsonb_object_agg"

  /// Whose values cannot make them fail; what is not here compares, or can.
  static let operators: Set<String> = ["||", "->", "->>", "#>", "#>>"]

  /// What every value can be cast to.
  static let types: Set<String> = ["text", "varchar", "bpchar", "name"]
}
