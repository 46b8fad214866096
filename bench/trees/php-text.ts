import type { Random } from '../../demo/random.ts';

/** Enough that two files of a tree rarely share more than a few functions, as code of one platform does. */
const FUNCTIONS = 6000;

/** Writes what compresses as PHP does: functions with their comments, put together anew for each file. */
export class PhpText {
  readonly #functions: readonly string[];

  constructor(random: Random) {
    this.#functions = Array.from({ length: FUNCTIONS }, () => writeFunction(random));
  }

  write(random: Random, bytes: number): Buffer {
    const name = camel(random, 2);
    let text = `<?php\n\n/**\n * @file\n * ${random.sentence()}\n */\n\nnamespace Drupal\\${camel(random, 1)}\\Plugin;\n\n`;
    text += `/**\n * ${random.sentence()}\n *\n * @see ${camel(random, 3)}\n */\nclass ${name} {\n\n`;
    while (text.length < bytes) text += random.pick(this.#functions);
    return Buffer.from(text.slice(0, bytes), 'latin1');
  }
}

function writeFunction(random: Random): string {
  const [first, second, result] = [variable(random), variable(random), variable(random)];
  const lines = Array.from({ length: random.between(3, 9) }, () =>
    writeStatement(random, random.pick([first, second, result])),
  );
  return (
    `  /**\n   * ${random.sentence()}\n   *\n   * @param array ${first}\n   *   ${random.sentence()}\n` +
    `   * @param \\Drupal\\Core\\${camel(random, 2)}Interface ${second}\n   *\n   * @return mixed\n   */\n` +
    `  public function ${method(random)}(array ${first}, ${second} = NULL) {\n${lines.join('')}    return ${result};\n  }\n\n`
  );
}

function writeStatement(random: Random, name: string): string {
  const key = word(random);
  switch (random.between(0, 5)) {
    case 0:
      return `    if (!empty(${name}['${key}']) && $this->${method(random)}(${variable(random)})) {\n      ${name}['${key}'] = ${random.between(0, 9999)};\n    }\n`;
    case 1:
      return `    foreach (${variable(random)} as $${key} => $item) {\n      ${name}[$${key}] = $item->${method(random)}('${word(random)}');\n    }\n`;
    case 2:
      return `    ${name} = \\Drupal::service('${key}.${word(random)}')->${method(random)}(${variable(random)});\n`;
    case 3:
      return `    // ${random.sentence()}\n    ${name}['#${key}'] = t('${random.sentence()}', ['@${word(random)}' => ${variable(random)}]);\n`;
    case 4:
      return `    throw new \\InvalidArgumentException(sprintf('${random.sentence()} %s', ${name}));\n`;
    default:
      return `    $this->${method(random)}()->${method(random)}(${name}, '${random.password(random.between(4, 20))}');\n`;
  }
}

function word(random: Random): string {
  return random.sentence(1).slice(0, -1).toLowerCase();
}

function camel(random: Random, words: number): string {
  return Array.from({ length: words }, () => random.sentence(1).slice(0, -1)).join('');
}

function method(random: Random): string {
  return `${random.pick(['get', 'set', 'build', 'load', 'process', 'render', 'is'])}${camel(random, random.between(1, 2))}`;
}

function variable(random: Random): string {
  return `$${word(random)}${random.pick(['', '_id', '_list', 's', '_info'])}`;
}
