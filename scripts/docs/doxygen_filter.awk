# The headers' plain comments as Doxygen's: a comment before a declaration belongs to it, one behind it too. Doxygen
# calls it for each file (docs/Doxyfile).
function escaped(text) { gsub(/\\/, "\\&#92;", text); return text }
FILENAME ~ /c_api\.h$/ {
  if ($0 ~ /^ *\/\* -----/) { print ""; next }
  # `typedef struct name {` ... `} name;` documents the struct; the typedef is the same thing.
  if (match($0, /^typedef struct [a-z_]+ \{/)) { in_struct = 1; sub(/^typedef /, "") }
  if (in_struct && $0 ~ /^} [a-z_]+;/) { in_struct = 0; print "};"; next }
  if (NR == 1) sub(/^\/\* /, "/** @file\n * ")
  else if ($0 ~ /^ *\/\*/) sub(/\/\*/, "/**")
  else if ($0 ~ /[;,{0-9] +\/\* /) sub(/\/\* /, "/**< ")
  print
  next
}
{
  if (FNR == 1 && $0 ~ /^\/\/ /) print "/// @file"
  sub(/ *\/\/ *NOLINT.*/, "")
  if ($0 ~ /^ *\/\/( |$)/) { $0 = escaped($0); sub(/\/\//, "///") }
  else if ($0 ~ /[;,{}a-z0-9_)] +\/\/ /) sub(/\/\/ /, "///< ")
  print
}
