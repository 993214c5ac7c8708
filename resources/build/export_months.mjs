// Names of months in many languages, as spreadsheets write them in dates: Unicode CLDR, through
// Node's Intl.
//
//     node resources/build/export_months.mjs > workflow/src/fibroserum/data/months.tsv
//
// Short and long names, alone and beside a day, without points; and German Excel's Mrz.
const LANGUAGES =
  "ar bg bs ca cs da de de-AT el en en-GB es es-MX et eu fa fi fr ga gl he hi hr hu id is it lt lv " +
  "ms nb nl pl pt ro ru sk sl sq sr sr-Latn sv th tr uk vi";
const STYLES = ["short", "long"].flatMap((month) => [{ month }, { month, day: "numeric" }]);
const found = new Map([["mrz", new Set([3])]]);
for (const language of LANGUAGES.split(" ")) {
  for (let month = 0; month < 12; month++) {
    for (const style of STYLES) {
      const options = { ...style, numberingSystem: "latn", calendar: "gregory", timeZone: "UTC" };
      const parts = new Intl.DateTimeFormat(language, options).formatToParts(
        new Date(Date.UTC(2006, month, 2)),
      );
      const name = parts
        .filter((part) => part.type === "month")
        .map((part) => part.value)
        .join("")
        .toLowerCase()
        .replace(/\.$/, "");
      if (/\d/.test(name)) continue;
      if (!found.has(name)) found.set(name, new Set());
      found.get(name).add(month + 1);
    }
  }
}
const rows = [...found].map(([name, months]) => `${name}\t${[...months].sort((a, b) => a - b).join("|")}`);
console.log(["name\tmonths", ...rows.sort()].join("\n"));
