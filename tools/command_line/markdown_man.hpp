// Our own markdown as a manual page: headings, paragraphs, lists, tables, code. A table becomes a
// list of its rows, as a terminal is narrow.
#pragma once

#include <string>
#include <string_view>

namespace command_line {

// The text below a .SH.
std::string man_of_markdown(std::string_view markdown);

// A whole page. The document's own heading is left out, because NAME takes its place.
std::string man_page_of_markdown(std::string_view markdown, const std::string& name,
                                 const std::string& section, const std::string& version,
                                 const std::string& one_line);

}  // namespace command_line
