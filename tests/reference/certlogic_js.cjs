// certlogic_js.cjs BUILD COUNT [SEED]: the machine against certlogic-js, the rule language's own evaluator, on random
// expressions. certlogic-js is no part of this tree; to run:
//   ninja -C build chengmen tests/reference/random_logic_lines
//   npm install --prefix build/npm certlogic-js@1.2.2
//   NODE_PATH=build/npm/node_modules node tests/reference/certlogic_js.cjs build 1000000
// Where the two differ by design, certlogic-js is asked again with that one thing changed, and must then agree:
//   dates  it computes on with JavaScript's Invalid Date, and takes 30 February for 1 March; here both err
//   texts  it takes "x.0" of a text for its first character; here a text has no members, so it is null
// Any other difference ends the run with 1 and shows the expression.
const {spawn} = require('child_process');
const readline = require('readline');
const {isDeepStrictEqual} = require('util');
const internals = require('certlogic-js/dist/internals');
const {evaluate} = require('certlogic-js');

const [build, count = '100000', seed = '1'] = process.argv.slice(2);
let done = 0, erred = 0;

function valid(date, text) {
    if (date !== undefined && Number.isNaN(date.getTime())) throw new Error(`no date: ${text}`);
    return date;
}

const as_it_is = {...internals};
const changed = {
    dates: {
        roundUpPartialDate: (text) => valid(as_it_is.roundUpPartialDate(text), text),
        dateFromString: (text) => {
            const last_day = new Date(Date.UTC(2000 + text.slice(0, 4) % 400, +text.slice(5, 7), 0)).getUTCDate();
            if (+text.slice(8, 10) > last_day) throw new Error(`no such day: ${text}`);
            return valid(as_it_is.dateFromString(text), text);
        },
        plusTime: (text, amount, unit) => valid(as_it_is.plusTime(text, amount, unit), text),
    },
    texts: {
        access: (data, path) => path === '' ? data : path.split('.').reduce((value, name) =>
            typeof value === 'string' ? null : as_it_is.access(value, name), data),
    },
};
const ways = {'as it is': {}, dates: changed.dates, texts: changed.texts, 'dates and texts': {...changed.dates, ...changed.texts}};
const agreed = Object.fromEntries(Object.keys(ways).map((name) => [name, 0]));

// The value as JSON has it: dates as texts, no negative zero.
function plain(value) {
    if (value instanceof Date) return value.toISOString();
    if (Array.isArray(value)) return value.map(plain);
    if (value && typeof value === 'object')
        return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]));
    return Object.is(value, -0) ? 0 : value;
}

function expected({logic, data}, way) {
    Object.assign(internals, as_it_is, way);
    try {
        return {value: plain(evaluate(logic, data))};
    } catch (error) {
        return {error: String(error)};
    }
}

function compare(line, got_line) {
    const question = JSON.parse(line), got = JSON.parse(got_line);
    const errs = got !== null && typeof got === 'object' && 'error' in got;
    done++;
    if (errs) erred++;
    for (const [name, way] of Object.entries(ways)) {
        const want = expected(question, way);
        if (errs ? 'error' in want : 'value' in want && isDeepStrictEqual(plain(got), want.value)) {
            agreed[name]++;
            return;
        }
    }
    console.log(`${line}\n  here:         ${got_line}\n  certlogic-js: ${JSON.stringify(expected(question, {}))}`);
    process.exit(1);
}

const random = spawn(`${build}/tests/reference/random_logic_lines`, [count, seed]);
const machine = spawn(`${build}/chengmen`, ['rules', 'eval', '--batch', '-']);
const lines = [];
let first = 0; // of the lines that are not answered yet
random.stdout.pipe(machine.stdin);
readline.createInterface({input: random.stdout}).on('line', (line) => lines.push(line));
readline.createInterface({input: machine.stdout}).on('line', (got) => {
    compare(lines[first++], got);
    if (first === 10000) {
        lines.splice(0, first);
        first = 0;
    }
}).on('close', () => {
    console.log(`${done} expressions, ${erred} of them err; certlogic-js agrees: ${JSON.stringify(agreed)}`);
    process.exit(done === +count ? 0 : 1);
});
