import AccessModel

extension Command {
  /// What its result may come from: more than the text names where rows come from a cursor, which an earlier command
  /// declared over tables that this one does not mention. Masks of computed columns are to be asked for with this.
  public var resultFootprint: Footprint {
    facts.shape.summary.kinds.contains(KindSet(.fetch)) ? .everything : footprint
  }
}
