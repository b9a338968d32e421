// Ten tables that imitate public ones: rows of texts as a CSV has them, and what holds in all of their rows.
import { Random, clamp, dateOf, fixed, sigmoid, timestampOf, weekdayOf } from './random.mjs';

/** Rows of insurance: smokers pay more, and those with a body mass index above 30 far more. */
function insurance(r) {
  const age = r.integer(18, 64);
  const sex = r.chance(0.505) ? 'male' : 'female';
  const region = r.choose({ southeast: 0.27, southwest: 0.24, northwest: 0.25, northeast: 0.24 });
  const bmi = clamp(r.normal(region === 'southeast' ? 33 : 29.5, 6), 16, 53);
  const children = clamp(r.poisson(0.6 + (age > 25 && age < 50 ? 0.8 : 0)), 0, 5);
  const smoker = r.chance(sex === 'male' ? 0.235 : 0.17);
  const base = 250 * age - 3000 + 480 * children + 1.1 * Math.max(0, age - 40) ** 2;
  const extra = smoker ? (bmi > 30 ? 33_000 + 450 * (bmi - 35) : 13_500 + 300 * (bmi - 25)) : 0;
  const surprise = r.chance(0.09) ? r.exponential(9000) : 0;
  const charges = Math.max(1100, base + extra + surprise + r.normal(0, 600));
  return {
    age,
    sex,
    bmi: fixed(bmi, 2),
    children,
    smoker: smoker ? 'yes' : 'no',
    region,
    charges: fixed(charges, 2),
  };
}

const EDUCATION = {
  Preschool: 1,
  '1st-4th': 2,
  '5th-6th': 3,
  '7th-8th': 4,
  '9th': 5,
  '10th': 6,
  '11th': 7,
  '12th': 8,
  'HS-grad': 9,
  'Some-college': 10,
  'Assoc-voc': 11,
  'Assoc-acdm': 12,
  Bachelors: 13,
  Masters: 14,
  'Prof-school': 15,
  Doctorate: 16,
};
const EDUCATION_WEIGHTS = Object.fromEntries(
  Object.keys(EDUCATION).map((name, k) => [
    name,
    [2, 5, 10, 20, 16, 28, 36, 13, 322, 223, 42, 33, 164, 53, 18, 13][k],
  ]),
);
const COUNTRIES = (
  'Mexico Philippines Germany Canada Puerto-Rico El-Salvador India Cuba England Jamaica South China Italy ' +
  'Dominican-Republic Vietnam Guatemala Japan Poland Columbia Taiwan Haiti Iran Portugal Nicaragua Peru Greece Ecuador France Ireland'
).split(' ');

/** A census of incomes: labels that go with each other, sums that are nearly always 0. */
function census(r) {
  const age = Math.round(clamp(17 + 44 * r.uniform() ** 1.3 + r.exponential(6), 17, 90));
  const sex = r.chance(0.67) ? 'Male' : 'Female';
  const education = r.choose(EDUCATION_WEIGHTS);
  const years = EDUCATION[education];
  const race = r.choose({
    White: 85,
    Black: 9.6,
    'Asian-Pac-Islander': 3.2,
    'Amer-Indian-Eskimo': 1,
    Other: 0.9,
  });
  const foreign = r.chance(race === 'Asian-Pac-Islander' ? 0.65 : years < 5 ? 0.5 : 0.07);
  const country = foreign
    ? COUNTRIES[Math.min(COUNTRIES.length - 1, Math.floor(r.exponential(6)))]
    : 'United-States';
  const young = sigmoid((27 - age) / 3);
  const marital = r.choose({
    'Never-married': 0.1 + 2.2 * young,
    'Married-civ-spouse': (sex === 'Male' ? 1.5 : 0.45) * (1 - 0.9 * young),
    Divorced: (sex === 'Male' ? 0.2 : 0.5) * (1 - young),
    Separated: 0.06,
    Widowed: age > 55 ? 0.35 : 0.02,
    'Married-spouse-absent': 0.03,
    'Married-AF-spouse': 0.002,
  });
  const married = marital === 'Married-civ-spouse';
  const relationship = married
    ? r.chance(0.97)
      ? sex === 'Male'
        ? 'Husband'
        : 'Wife'
      : 'Other-relative'
    : r.choose({
        'Own-child': age < 28 ? 1.5 : 0.1,
        'Not-in-family': 1,
        Unmarried: marital === 'Never-married' ? 0.2 : 0.8,
        'Other-relative': 0.1,
      });
  const high = (years - 9) / 4;
  const occupation = r.choose({
    'Prof-specialty': Math.exp(1.3 * high),
    'Exec-managerial': Math.exp(0.8 * high),
    'Craft-repair': sex === 'Male' ? Math.exp(-0.5 * high) : 0.08,
    'Adm-clerical': sex === 'Male' ? 0.4 : 1.6,
    Sales: 1,
    'Other-service': 0.7 * Math.exp(-0.6 * high) * (1 + young),
    'Machine-op-inspct': 0.5 * Math.exp(-0.8 * high),
    'Transport-moving': sex === 'Male' ? 0.5 * Math.exp(-0.5 * high) : 0.03,
    'Handlers-cleaners': 0.4 * Math.exp(-0.7 * high),
    'Farming-fishing': 0.3 * Math.exp(-0.4 * high),
    'Tech-support': 0.3,
    'Protective-serv': 0.2,
    'Priv-house-serv': sex === 'Male' ? 0.005 : 0.08,
    'Armed-Forces': 0.004,
  });
  const unknown = r.chance(0.03 + 0.08 * young);
  const work = unknown
    ? ''
    : r.choose({
        Private: 7,
        'Self-emp-not-inc': 0.4 + (age > 45 ? 0.7 : 0),
        'Local-gov': occupation === 'Prof-specialty' ? 1.5 : 0.5,
        'State-gov': 0.4,
        'Self-emp-inc': age > 35 ? 0.5 : 0.1,
        'Federal-gov': 0.3,
        'Without-pay': 0.01,
      });
  const hours = r.chance(0.47)
    ? 40
    : Math.round(clamp(r.normal(41 - 14 * young + (work.startsWith('Self') ? 6 : 0), 11), 1, 99));
  const score =
    -3.1 + 2.4 * Number(married) + 1.25 * high + 0.03 * (hours - 40) - 0.0022 * (age - 48) ** 2 + 0.25;
  const rich = r.chance(sigmoid(score));
  const gains = { 7298: 25, 7688: 20, 15024: 35, 99999: rich ? 16 : 0, 3103: 9, 5178: 10, 4386: 7 };
  const gain = r.chance(rich ? 0.2 : 0.04)
    ? rich
      ? r.choose(gains)
      : String(Math.round(clamp(r.logNormal(3000, 0.6), 114, 9000)))
    : '0';
  const loss = gain === '0' && r.chance(rich ? 0.1 : 0.03) ? String(r.integer(1400, 2450)) : '0';
  return {
    age,
    workclass: work,
    education,
    'education-num': years,
    'marital-status': marital,
    occupation: unknown ? '' : occupation,
    relationship,
    race,
    sex,
    'capital-gain': gain,
    'capital-loss': loss,
    'hours-per-week': hours,
    'native-country': country,
    income: rich ? '>50K' : '<=50K',
  };
}

const DEVICES = { 'hall-1': 5, 'hall-2': 5, roof: 2, cellar: 2, 'lab α': 1 };

/** A log of sensors: a day's and a year's course, rounded readings, a battery that runs down, alarms. */
function sensors(r, i, rows) {
  const seconds = Math.round((i * 365 * 86_400) / rows / 600) * 600;
  const hour = (seconds / 3600) % 24;
  const season = -Math.cos((2 * Math.PI * (seconds / 86_400 - 20)) / 365);
  const device = r.choose(DEVICES);
  const light =
    device === 'cellar'
      ? 0
      : Math.max(0, Math.sin((Math.PI * (hour - 6 + 1.5 * season)) / (12 + 3 * season))) *
        (device === 'roof' ? 60_000 : 500) *
        (0.2 + 0.8 * r.uniform());
  const lit = hour > 6 - 1.5 * season && hour < 18 + 1.5 * season;
  const outside = 10 + 9 * season - 4 * Math.cos((2 * Math.PI * (hour - 3)) / 24) + r.normal(0, 2.5);
  const temperature =
    device === 'roof' ? outside : device === 'cellar' ? 12 + 0.1 * outside : 20 + 0.2 * (outside - 10);
  const humidity = clamp(
    Math.round(
      (device === 'cellar' ? 82 : 62) -
        1.1 * (temperature - (device === 'roof' ? outside : 20)) +
        r.normal(0, 9),
    ),
    18,
    100,
  );
  const battery = 4.2 - (0.9 * seconds) / (365 * 86_400) - Math.abs(r.normal(0, 0.02));
  const hot = temperature > 26 || temperature < -3;
  return {
    time: timestampOf(2023, seconds),
    'device id': device,
    'Temp (°C)': fixed(temperature + r.normal(0, 0.3), 1),
    'Humidity %': humidity,
    'light, lux': fixed(lit ? light : 0, 0),
    'battery V': fixed(battery, 2),
    status: hot ? r.choose({ WARN: 3, ERROR: 1, OK: 1 }) : r.choose({ OK: 97, WARN: 2, ERROR: 0.6 }),
    firmware: '2.4.1',
  };
}

/** Visits to a clinic: laboratory values of which some are missing, an index of others, dates in their order. */
function clinical(r, i) {
  const sex = r.chance(0.46) ? 'M' : 'F';
  const age = Math.round(clamp(r.normal(58, 17), 18, 97));
  const height = clamp(r.normal(sex === 'M' ? 176 : 163, 7), 140, 205);
  const bmi = clamp(r.logNormal(26.5, 0.17), 15, 55);
  const weight = bmi * (height / 100) ** 2;
  const diabetic = r.chance(sigmoid(-4.3 + 0.035 * age + 0.11 * (bmi - 26)));
  const hba1c = diabetic ? r.logNormal(7.4, 0.16) : r.normal(5.4, 0.3);
  const systolic = 104 + 0.45 * age + 0.6 * (bmi - 26) + r.normal(0, 13);
  const diastolic = 45 + 0.27 * systolic + r.normal(0, 6);
  const kidney = clamp(118 - 0.8 * (age - 25) - (diabetic ? 9 : 0) + r.normal(0, 13), 6, 140);
  const diagnosis = diabetic
    ? r.choose({ 'E11.9': 8, 'E11.65': 2, 'E10.9': 1, I10: 1 })
    : systolic > 140
      ? r.choose({ I10: 8, 'I25.1': 2, 'I48.0': 1 })
      : r.choose({
          'J06.9': 4,
          'M54.5': 4,
          'K21.9': 2,
          'F32.1': 2,
          'Z00.0': 5,
          R51: 1,
          'N39.0': sex === 'F' ? 1.5 : 0.2,
        });
  const day = Math.floor(730 * r.uniform());
  const stay = r.chance(0.6) ? 0 : 1 + r.poisson(age > 65 ? 5 : 2);
  const smoking = r.choose({ never: 5, former: age > 40 ? 4 : 1, current: 2 });
  return {
    patient: `P-${String(20_001 + i).padStart(6, '0')}`,
    admitted: dateOf(2022, day),
    discharged: dateOf(2022, day + stay),
    sex,
    age,
    height_cm: fixed(height, 0),
    weight_kg: fixed(weight, 1),
    BMI: fixed(Number(fixed(weight, 1)) / (Number(fixed(height, 0)) / 100) ** 2, 1),
    systolic: fixed(systolic, 0),
    diastolic: fixed(diastolic, 0),
    'HbA1c (%)': r.chance(diabetic ? 0.05 : 0.55) ? '' : fixed(hba1c, 1),
    eGFR: r.chance(0.18) ? '' : fixed(kidney, 0),
    diagnosis,
    smoking: r.chance(0.07) ? '' : smoking,
    diabetic: diabetic ? 'true' : 'false',
  };
}

const PLACES = {
  DE: ['01067', '04109', '10115', '20095', '50667', '60311', '70173', '80331', '90402'],
  FR: ['06000', '13001', '31000', '33000', '59000', '69001', '75001'],
  US: ['02108', '10001', '30301', '60601', '77001', '94103', '98101'],
  IT: ['00118', '10121', '20121', '50121'],
  ES: ['08001', '28001', '41001'],
  PL: ['00001', '30002'],
};

/** Customers and what they ordered: without an order there is no amount. */
function orders(r, i) {
  const country = r.choose({ DE: 45, FR: 18, US: 15, IT: 9, ES: 8, PL: 4 });
  const zips = PLACES[country];
  const zip = zips[Math.min(zips.length - 1, Math.floor(r.exponential(2)))];
  let day;
  do day = Math.floor(730 * r.uniform());
  while ([0, 6].includes(weekdayOf(2022, day)) && r.chance(0.7));
  const channel = r.choose({
    web: 6,
    app: 1 + 4 * (day / 730),
    phone: country === 'DE' ? 1.5 : 0.4,
    shop: country === 'IT' ? 2 : 0.3,
  });
  const newsletter = r.chance(channel === 'app' ? 0.65 : 0.3);
  const count = r.chance(newsletter ? 0.3 : 0.52) ? 0 : 1 + r.poisson(newsletter ? 1.8 : 0.7);
  const each = r.logNormal(country === 'US' ? 62 : country === 'PL' ? 24 : 41, 0.55);
  const net = count === 0 ? 0 : count * each * r.logNormal(1, 0.2);
  const cents = Math.round(100 * net);
  const returned = count > 0 && r.chance(0.08) ? r.integer(1, count) : 0;
  return {
    order_id: 100_001 + i,
    'order date': dateOf(2022, day),
    country,
    zip,
    channel,
    newsletter: newsletter ? 'yes' : 'no',
    orders: count,
    'amount net': fixed(cents / 100, 2),
    'amount gross': fixed((cents * 1.19) / 100, 2),
    currency: 'EUR',
    returned,
    rating: count === 0 || r.chance(0.4) ? '' : clamp(Math.round(r.normal(4.3 - returned, 0.8)), 1, 5),
  };
}

const NAMES =
  'Abbott Baker Carter Davies Evans Foster Green Hughes Irving Jones Kelly Lund Moran Nilsson Olsen'.split(
    ' ',
  );

/** Passengers of a ship: few rows, ages and cabins of which many are missing. */
function passengers(r, i) {
  const pclass = Number(r.choose({ 1: 24, 2: 21, 3: 55 }));
  const sex = r.chance(0.62) ? 'male' : 'female';
  const age = clamp(r.normal(pclass === 1 ? 38 : pclass === 2 ? 30 : 25, 14), 0.4, 80);
  const siblings = r.chance(0.68) ? 0 : 1 + Math.min(7, r.poisson(age < 14 ? 2 : 0.2));
  const parents = age < 14 ? 1 + Number(r.chance(0.5)) : r.chance(0.84) ? 0 : 1 + r.poisson(0.4);
  const fare =
    r.logNormal(pclass === 1 ? 55 : pclass === 2 ? 16 : 8.2, pclass === 1 ? 0.6 : 0.25) *
    (1 + 0.4 * (siblings + parents));
  const survived = r.chance(
    sigmoid(
      1.2 -
        1.1 * (pclass - 1) +
        (sex === 'female' ? 2.4 : -0.9) +
        (age < 12 ? 1.3 : 0) -
        (siblings > 3 ? 2 : 0),
    ),
  );
  return {
    PassengerId: i + 1,
    Survived: Number(survived),
    Pclass: pclass,
    Name: `${NAMES[r.integer(0, NAMES.length - 1)]}, ${sex === 'male' ? 'Mr.' : 'Mrs.'} ${String.fromCharCode(65 + r.integer(0, 25))}. ${i}`,
    Sex: sex,
    Age: r.chance(pclass === 3 ? 0.28 : 0.1) ? '' : age < 1 ? fixed(age, 2) : fixed(age, 0),
    SibSp: siblings,
    Parch: parents,
    Fare: fixed(fare, 4),
    Deck:
      pclass === 1 && r.chance(0.8)
        ? r.choose({ A: 1, B: 3, C: 4, D: 2, E: 2 })
        : pclass > 1 && r.chance(0.05)
          ? r.choose({ E: 1, F: 3, G: 1 })
          : '',
    Embarked: r.choose({ S: 72, C: pclass === 1 ? 38 : 12, Q: pclass === 3 ? 14 : 1 }),
  };
}

/** Districts of houses: towns on a map, counts that grow together, values that were cut off. */
function housing(r) {
  const town = Number(r.choose({ 0: 4, 1: 3, 2: 1, 3: 1.5, 4: 0.7 }));
  const [x, y, spread, rich] = [
    [-118.3, 34.0, 0.35, 0.2],
    [-122.2, 37.7, 0.35, 0.5],
    [-117.1, 32.8, 0.2, 0.1],
    [-119.8, 36.7, 0.9, -0.5],
    [-121.5, 38.9, 0.8, -0.3],
  ][town];
  const longitude = r.normal(x, spread);
  const latitude = r.normal(y - 0.5 * (longitude - x), 0.5 * spread);
  const coast = longitude + 0.75 * (latitude - 36) + 120.6;
  const proximity =
    coast < -0.55
      ? 'NEAR OCEAN'
      : town === 1 && r.chance(0.6)
        ? 'NEAR BAY'
        : coast < 0.6
          ? '<1H OCEAN'
          : r.chance(0.002)
            ? 'ISLAND'
            : 'INLAND';
  const age = Math.round(clamp(r.normal(30, 13), 1, 52));
  const rooms = Math.round(r.logNormal(2100 - 12 * age, 0.65));
  const bedrooms = Math.max(1, Math.round(rooms * r.logNormal(0.205, 0.12)));
  const households = Math.max(1, Math.round(bedrooms * r.logNormal(0.93, 0.07)));
  const population = Math.max(3, Math.round(households * r.logNormal(2.85, 0.22)));
  const income = clamp(r.logNormal(3.5 * Math.exp(0.25 * rich), 0.45), 0.5, 15);
  const value =
    (55_000 + 42_000 * income) * r.logNormal(Math.exp(rich - (proximity === 'INLAND' ? 0.35 : 0)), 0.22);
  return {
    longitude: fixed(longitude, 2),
    latitude: fixed(latitude, 2),
    housing_median_age: age,
    total_rooms: rooms,
    total_bedrooms: r.chance(0.01) ? '' : bedrooms,
    population,
    households,
    median_income: fixed(income, 4),
    median_house_value: value > 500_000 ? 500_001 : 100 * Math.round(value / 100),
    ocean_proximity: proximity,
  };
}

const PURPOSES = {
  debt_consolidation: 55,
  credit_card: 20,
  home_improvement: 7,
  other: 6,
  major_purchase: 3,
  medical: 2,
  small_business: 2,
  car: 1.5,
  vacation: 1,
  moving: 0.9,
  wedding: 0.5,
  renewable_energy: 0.1,
};

/** Loans: an interest that goes with the grade, an instalment that is a formula of three columns. */
function loans(r) {
  const income = Math.round(r.logNormal(64_000, 0.5) / 100) * 100;
  const wanted = clamp(r.logNormal(12_500, 0.6) * (income / 64_000) ** 0.45, 1000, 40_000);
  const step = r.chance(0.7) ? 1000 : 25;
  const loan = step * Math.round(wanted / step);
  const long = r.chance(sigmoid((loan - 17_000) / 6000));
  const risk = r.normal(0, 1) - 0.35 * Math.log(income / 64_000) + (long ? 0.8 : 0);
  const grade = 'ABCDEFG'[clamp(Math.floor(1.7 + 1.25 * risk), 0, 6)];
  const rate = clamp(7 + 3.3 * 'ABCDEFG'.indexOf(grade) + r.normal(0, 0.7), 5.3, 30.9);
  const score = Math.round(clamp(712 - 17 * risk + r.normal(0, 16), 660, 850) / 5) * 5;
  const months = long ? 60 : 36;
  const monthly = rate / 1200;
  const instalment = (loan * monthly) / (1 - (1 + monthly) ** -months);
  const employed = r.choose({
    '< 1 year': 8,
    '1 year': 7,
    '2 years': 9,
    '3 years': 8,
    '4 years': 6,
    '5 years': 6,
    '6 years': 5,
    '7 years': 5,
    '8 years': 5,
    '9 years': 4,
    '10+ years': 33,
  });
  const past = r.chance(0.8) ? 0 : 1 + r.poisson(0.5);
  const bad = r.chance(sigmoid(-2.6 + 0.7 * risk));
  return {
    'loan amount': loan,
    term: ` ${months} months`.trim(),
    'int rate': `${fixed(rate, 2)}%`,
    grade,
    instalment: fixed(instalment, 2),
    emp_length: r.chance(0.06) ? 'n/a' : employed,
    home: r.choose({ MORTGAGE: income > 60_000 ? 6 : 3.5, RENT: income > 60_000 ? 3 : 5, OWN: 1, ANY: 0.01 }),
    'annual income': income,
    purpose: r.choose(PURPOSES),
    dti: fixed(clamp(r.normal(19 - 4 * Math.log(income / 64_000), 8), 0, 45), 2),
    delinquencies: past,
    fico: score,
    defaulted: bad ? 'Y' : 'N',
  };
}

/** Days at two gauges of rain, dry on 62 % of them, with a Gumbel copula of theta 1.8. */
function rain(r, i) {
  const season = -Math.cos((2 * Math.PI * (i - 20)) / 365);
  const frailty = r.stable(1 / 1.8);
  const [u, v] = [0, 1].map(() => Math.exp(-((r.exponential() / frailty) ** (1 / 1.8))));
  const amount = (level, scale) => (level < 0.62 ? 0 : scale * (-Math.log((1 - level) / 0.38)) ** 1.35);
  const [first, second] = [amount(u, 6.1), amount(v, 7.4)].map((x) => Math.round(10 * x) / 10);
  const wet = first > 0;
  const temperature = 9.5 + 8.5 * season + r.normal(0, 3.4) - (wet ? 1.2 * season : 0);
  const direction = r.choose(
    wet
      ? { W: 6, SW: 5, WSW: 5, NW: 2, WNW: 3, S: 2, SSW: 3, N: 1, E: 0.5 }
      : { E: 4, NE: 4, ENE: 3, SE: 2, N: 3, W: 2, SW: 1.5, S: 1.5, NW: 1.5, calm: 1 },
  );
  const river = 1.1 + 0.02 * first + 0.012 * second - 0.25 * season + Math.abs(r.normal(0, 0.18));
  return {
    date: dateOf(2012, i),
    'gauge A (mm)': fixed(first, 1),
    'gauge B (mm)': fixed(second, 1),
    'mean °C': fixed(temperature, 1),
    'max °C': fixed(temperature + 2 + r.exponential(wet ? 2 : 5), 1),
    wind: direction,
    'river m': r.chance(0.02) ? '' : fixed(river, 2),
    wet: wet ? 1 : 0,
  };
}

/** Hours of a shop on the web: two tops a day, quiet weekends, money that is made in some hours. */
function traffic(r, i) {
  const hour = i % 24;
  const day = Math.floor(i / 24);
  const weekday = weekdayOf(2024, day);
  const weekend = weekday === 0 || weekday === 6;
  const course = 0.25 + Math.exp(-(((hour - 11) / 3) ** 2)) + 0.9 * Math.exp(-(((hour - 20) / 2.2) ** 2));
  const visits = r.poisson(clamp(90 * course * (weekend ? 0.65 : 1) * r.logNormal(1, 0.18), 1, 600));
  const bounce = clamp(r.normal(0.46 - 0.0004 * visits + (hour < 6 ? 0.1 : 0), 0.07), 0, 1);
  const sales = r.poisson(0.022 * visits * (1 - bounce));
  const revenue =
    sales === 0 ? 0 : Array.from({ length: sales }, () => r.logNormal(38, 0.7)).reduce((a, b) => a + b);
  const load = 4.1 + 0.012 * visits + r.normal(0, 0.35);
  return {
    'time (UTC)': timestampOf(2024, 3600 * i),
    weekday: ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'][weekday],
    hour,
    visits,
    'bounce rate': `${fixed(100 * bounce, 1)} %`,
    sales,
    'revenue €': fixed(revenue, 2),
    'load kW': fixed(load, 3),
    'load W': fixed(1000 * Number(fixed(load, 3)), 0),
    source: r.choose({
      search: 5,
      direct: 3,
      social: hour > 17 ? 3 : 1,
      mail: weekday === 2 && hour < 13 ? 5 : 0.3,
      référence: 0.4,
    }),
    holiday: r.chance(0.03) ? 'true' : 'false',
  };
}

const zero = (cell) => Number(cell) === 0;

/** By name: how many rows, how one is drawn (its number, and of how many), and rules by name: what a row that breaks one is like. */
export const laws = {
  insurance: { rows: 1338, row: insurance, rules: {} },
  census: {
    rows: 6000,
    row: census,
    rules: {
      'gain and loss': (row) => !zero(row['capital-gain']) && !zero(row['capital-loss']),
      'years of education': (row) => EDUCATION[row.education] !== Number(row['education-num']),
      'husbands are married men': (row) =>
        row.relationship === 'Husband' &&
        (row['marital-status'] !== 'Married-civ-spouse' || row.sex !== 'Male'),
      'wives are married women': (row) =>
        row.relationship === 'Wife' &&
        (row['marital-status'] !== 'Married-civ-spouse' || row.sex !== 'Female'),
    },
  },
  sensors: {
    rows: 5000,
    row: sensors,
    rules: { 'no light in a cellar': (row) => row['device id'] === 'cellar' && !zero(row['light, lux']) },
  },
  clinical: {
    rows: 1500,
    row: clinical,
    rules: { 'discharged after admitted': (row) => row.discharged < row.admitted },
  },
  orders: {
    rows: 4000,
    row: orders,
    rules: {
      'no order, no amount': (row) => zero(row.orders) !== zero(row['amount net']),
      'gross is 1.19 net': (row) => Math.abs(1.19 * row['amount net'] - row['amount gross']) > 0.006,
      'zips of their country': (row) => !PLACES[row.country].includes(row.zip),
      'no order, no rating': (row) => zero(row.orders) && row.rating !== '',
      'no more returned than ordered': (row) => Number(row.returned) > Number(row.orders),
    },
  },
  passengers: { rows: 1000, row: passengers, rules: {} },
  housing: {
    rows: 3000,
    row: housing,
    rules: { 'fewer bedrooms than rooms': (row) => Number(row.total_bedrooms) > Number(row.total_rooms) },
  },
  loans: { rows: 4000, row: loans, rules: {} },
  rain: {
    rows: 3000,
    row: rain,
    rules: {
      'wet with rain': (row) => (row.wet === '1') === zero(row['gauge A (mm)']),
      'max above mean': (row) => Number(row['max °C']) < Number(row['mean °C']),
    },
  },
  traffic: {
    rows: 3000,
    row: traffic,
    rules: {
      'no sale, no revenue': (row) => zero(row.sales) !== zero(row['revenue €']),
      'watts are kilowatts': (row) => Math.abs(1000 * row['load kW'] - row['load W']) > 0.6,
    },
  },
};

const quoted = (cell) => {
  const text = String(cell);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/** A table of a law as the text of a CSV file. */
export function csvOf({ row, rows }, seed) {
  const random = new Random(seed);
  const drawn = Array.from({ length: rows }, (_, i) => row(random, i, rows));
  const names = Object.keys(drawn[0]);
  return [names, ...drawn.map((one) => names.map((name) => one[name]))]
    .map((cells) => `${cells.map(quoted).join(',')}\n`)
    .join('');
}

/** The rows of such a text, each with its cells by name. */
export function rowsOf(text) {
  const [names, ...rows] = text
    .trim()
    .split('\n')
    .map((line) =>
      Array.from(`${line},`.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g), ([, cell]) =>
        cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell,
      ).slice(0, -1),
    );
  return rows.map((cells) => Object.fromEntries(names.map((name, k) => [name, cells[k]])));
}
